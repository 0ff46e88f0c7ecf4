#include "ndjson.h"

#include "arguments.h"
#include "base64.h"
#include "times.h"

#include <initializer_list>
#include <map>

#include <nlohmann/json.hpp>

namespace headpond::cli {

namespace {

using nlohmann::json;
using Fields = std::map<std::string, json>;

std::string kind_of(const json& value) {
    return value.is_null() ? "null" : std::string("a ") + value.type_name();
}

// Takes one object of plain values and stops at the first nested one: no line can make a deep tree.
class FlatObject : public nlohmann::json_sax<json> {
  public:
    Fields fields;
    std::string wrong;

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t& /*text*/) override {
        return put(value);
    }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t& /*value*/) override { return fail("binary"); }
    bool start_object(std::size_t /*elements*/) override {
        if (open_) return fail("an object");
        return open_ = true;
    }
    bool end_object() override { return true; }
    bool start_array(std::size_t /*elements*/) override { return fail("an array"); }
    bool end_array() override { return true; }
    bool key(string_t& name) override {
        name_ = name;
        if (!fields.contains(name)) return true;
        wrong = shown(name) + " is given twice; allowed: once";
        return false;
    }
    bool parse_error(std::size_t position, const std::string& /*token*/,
                     const nlohmann::detail::exception& /*error*/) override {
        wrong = "no JSON in UTF-8 at byte " + std::to_string(position);
        return false;
    }

  private:
    bool put(json value) {
        if (!open_) return fail(kind_of(value));
        fields[name_] = std::move(value);
        return true;
    }
    bool fail(const std::string& what) {
        wrong = open_ ? shown(name_) + " is " + what + "; allowed: no nested values"
                      : "this is " + what;
        return false;
    }
    std::string name_;
    bool open_ = false;
};

// Reads the fields one by one, and names what is left.
class Reader {
  public:
    Reader(std::string_view line, std::string allowed) : allowed_(std::move(allowed)) {
        FlatObject object;
        if (!json::sax_parse(line, &object)) fail(object.wrong);
        fields_ = std::move(object.fields);
    }

    [[nodiscard]] std::optional<json> take(const std::string& name, bool null_counts = false) {
        auto node = fields_.extract(name);
        if (node.empty() || (node.mapped().is_null() && !null_counts)) return std::nullopt;
        return std::move(node.mapped());
    }
    [[nodiscard]] std::optional<std::string> text(const std::string& name,
                                                  bool null_counts = false) {
        auto value = take(name, null_counts);
        if (!value) return std::nullopt;
        if (!value->is_string()) fail(name, *value, "a string");
        return std::move(value->get_ref<std::string&>());
    }
    // NAME as text, or NAME_base64.
    [[nodiscard]] std::optional<std::string> bytes(const std::string& name) {
        auto plain = text(name, true);
        const auto encoded = text(name + "_base64", true);
        if (!encoded) return plain;
        if (plain) fail(name + " and " + name + "_base64 are both given; allowed: one of them");
        auto decoded = from_base64(*encoded);
        if (!decoded) fail(name + "_base64 is no base64; allowed: RFC 4648 with its padding");
        return decoded;
    }
    void end() const {
        if (!fields_.empty()) fail("unknown field " + shown(fields_.begin()->first));
    }
    [[noreturn]] void fail(const std::string& wrong) const {
        const bool says = wrong.find("; allowed: ") != std::string::npos;
        throw LineError(says ? wrong : wrong + "; allowed: an object " + allowed_);
    }
    [[noreturn]] void fail(const std::string& name, const json& value, const char* wanted) const {
        fail(name + " is " + kind_of(value) + "; allowed: " + wanted);
    }

  private:
    Fields fields_;
    std::string allowed_;
};

}  // namespace

NewItem LineItem::view() const {
    return {.key = key,
            .source_tag = tag,
            .payload = payload,
            .tracking = tracking,
            .published_at = published_at};
}

LineItem parse_item(std::string_view line) {
    Reader in(line, "{key, tag, payload or payload_base64, track, published_at}");
    LineItem item;
    auto key = in.text("key");
    if (!key) in.fail("key is missing");
    item.key = std::move(*key);
    item.tag = in.text("tag").value_or("");
    item.payload = in.bytes("payload").value_or("");
    if (const auto track = in.take("track")) {
        if (!track->is_boolean()) in.fail("track", *track, "true or false");
        if (track->get<bool>()) item.tracking = Tracking::tracked;
    }
    if (const auto published = in.text("published_at")) {
        item.published_at = parse_iso(*published);
        if (!item.published_at) {
            in.fail("published_at is " + shown(*published) +
                    "; allowed: " + std::string(iso_allowed));
        }
    }
    in.end();
    try {
        check_key("key", item.key);
        check_tag("tag", item.tag);
    } catch (const UsageError& error) {
        in.fail(error.what());
    }
    return item;
}

void parse_verdict(std::string_view line, Settlement& settlement) {
    Reader in(line, "{id or key, result or result_base64 or reject}");
    std::int64_t id = 0;
    if (const auto value = in.take("id")) {
        if (!value->is_number_integer() || value->get<std::int64_t>() < 1) {
            in.fail("id is " + shown(value->dump()) + "; allowed: a whole number from 1");
        }
        id = value->get<std::int64_t>();
    }
    std::string key = in.text("key").value_or("");
    if ((id == 0) == key.empty()) {
        in.fail(id == 0 ? "id and key are missing; allowed: one of them"
                        : "id and key are both given; allowed: one of them");
    }
    auto result = in.bytes("result");
    auto reject = in.text("reject");
    in.end();
    if (result && reject) in.fail("result and reject are both given; allowed: one of them");
    if (reject) {
        settlement.rejected.push_back({id, std::move(key), std::move(*reject)});
    } else {
        settlement.acked.push_back({id, std::move(key), std::move(result).value_or("")});
    }
}

bool blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace headpond::cli
