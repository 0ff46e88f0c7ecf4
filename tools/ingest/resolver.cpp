#include "resolver.h"

#include "gazetteer/gazetteer.h"
#include "location.h"
#include "moonshot/moonshot_resolver.h"

#include <stdexcept>

namespace headpond::ingest {

namespace {

class GazetteerResolver final : public Resolver {
  public:
    // Read now rather than while the first batch is held.
    GazetteerResolver() : gazetteer_(Gazetteer::builtin()) {}
    std::string_view name() const override { return "gazetteer"; }

    Settlement resolve(std::span<const Item> items, const std::stop_token& /*stop*/) override {
        Settlement settlement;
        for (const Item& item : items) {
            settlement.acked.push_back(
                {.item_id = item.id, .key = item.key, .result = locate(item)});
        }
        return settlement;
    }

  private:
    [[nodiscard]] std::string locate(const Item& item) const {
        const AlertText text = from_payload(item.payload);
        const auto place = gazetteer_.locate({.title = text.title,
                                              .summary = text.summary,
                                              .source_tag = text.source_tag,
                                              .link = text.link});
        if (!place) return {};
        return to_result({.latitude = place->latitude,
                          .longitude = place->longitude,
                          .name = place->name,
                          .country = place->country,
                          .confidence = std::string(to_string(place->confidence)),
                          .method = "gazetteer_batch",
                          .basis = place->basis});
    }

    const Gazetteer& gazetteer_;
};

class NoResolver final : public Resolver {
  public:
    std::string_view name() const override { return "none"; }
    Settlement resolve(std::span<const Item> /*items*/, const std::stop_token& /*stop*/) override {
        throw std::runtime_error("resolver none: no service");
    }
};

}  // namespace

std::unique_ptr<Resolver> make_resolver(const IngestSettings& settings, const Options& queue) {
    if (settings.resolver == "gazetteer") return std::make_unique<GazetteerResolver>();
    if (settings.resolver == "none") return std::make_unique<NoResolver>();
    if (settings.resolver == "moonshot") {
        return std::make_unique<MoonshotResolver>(settings.moonshot, queue);
    }
    throw std::invalid_argument("no resolver is called " + settings.resolver);
}

}  // namespace headpond::ingest
