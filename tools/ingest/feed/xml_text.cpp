#include "feed/xml_text.h"

#include "feed/markup.h"

#include <string_view>

namespace headpond::ingest {
namespace {

std::string_view local_name(pugi::xml_node element) {
    const std::string_view name = element.name();
    return name.substr(name.find(':') + 1);  // npos + 1 is 0
}

// Gathers runs of character data, because HTML may be split over several CDATA sections.
class Walk {
  public:
    explicit Walk(TextForm form) : form_(form) {}

    void enter(pugi::xml_node node) {
        if (node.type() == pugi::node_element) {
            flush();
            collector_.open(local_name(node));
        } else if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata) {
            if (run_.size() < TextCollector::gathered_bytes_max * 4) run_ += node.value();
        }
    }

    void leave(pugi::xml_node node) {
        if (node.type() != pugi::node_element) return;
        flush();
        collector_.close(local_name(node));
    }

    bool full() const { return collector_.full(); }

    std::string finish(std::size_t bytes_max) {
        flush();
        return collector_.finish(bytes_max);
    }

  private:
    void flush() {
        if (form_ == TextForm::html && !run_.empty()) {
            collector_.html(run_);
        } else {
            collector_.text(run_);
        }
        run_.clear();
    }

    TextForm form_;
    TextCollector collector_;
    std::string run_;
};

}  // namespace

std::string text_of(pugi::xml_node element, TextForm form, std::size_t bytes_max) {
    Walk walk(form);
    pugi::xml_node node = element.first_child();
    while (node && !walk.full()) {
        walk.enter(node);
        if (node.first_child()) {
            node = node.first_child();
            continue;
        }
        walk.leave(node);
        while (!node.next_sibling() && node.parent() != element) {
            node = node.parent();
            walk.leave(node);
        }
        node = node.next_sibling();
    }
    return walk.finish(bytes_max);
}

std::string character_data(pugi::xml_node element, std::size_t bytes_max) {
    std::string text;
    for (const pugi::xml_node node : element.children()) {
        if (node.type() != pugi::node_pcdata && node.type() != pugi::node_cdata) continue;
        text += std::string_view(node.value()).substr(0, bytes_max - text.size());
    }
    return text;
}

}  // namespace headpond::ingest
