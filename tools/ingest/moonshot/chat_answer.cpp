#include "moonshot/chat_answer.h"

#include "../headpond/utf8.h"
#include "feed/fold.h"
#include "feed/position.h"
#include "http/retry_after.h"
#include "location.h"
#include "moonshot/api_error.h"

#include <stdexcept>

#include <nlohmann/json.hpp>

namespace headpond::ingest {

namespace {

using nlohmann::json;

// Of the original's mapping: the service never has the feed's own certainty.
constexpr double medium_above = 0.7;
constexpr std::size_t name_bytes_max = 200;

// What makes one location unusable; the alert is asked again.
class BadLocation : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

std::optional<double> number_of(const json& object, const char* name, double least, double most) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return std::nullopt;
    if (!found->is_number()) {
        throw BadLocation(std::string(name) + " is no number");
    }
    const double value = found->get<double>();
    if (!(value >= least && value <= most)) {
        throw BadLocation(std::string(name) + " is " + found->dump().substr(0, 20));
    }
    return value;
}

std::string words_of(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return {};
    if (!found->is_string()) throw BadLocation(std::string(name) + " is no text");
    return fold(found->get<std::string>(), name_bytes_max);
}

std::optional<Position> position_of(const json& object) {
    const double unknown = 999;
    const double latitude = number_of(object, "latitude", -90, 90).value_or(unknown);
    const double longitude = number_of(object, "longitude", -180, 180).value_or(unknown);
    if ((latitude == unknown) != (longitude == unknown)) {
        throw BadLocation("one coordinate without the other");
    }
    // Null Island is how models write that they do not know.
    if (latitude == unknown || (latitude == 0 && longitude == 0)) return std::nullopt;
    return Position{.latitude = latitude, .longitude = longitude};
}

// Checks one object of the answer against the world.
class LocationReader {
  public:
    explicit LocationReader(const Gazetteer& gazetteer) : gazetteer_(gazetteer) {}

    // The item's result; empty: the service knows no place. Throws BadLocation.
    [[nodiscard]] std::string read(const json& object) const {
        const auto position = position_of(object);
        const double confidence = number_of(object, "confidence", 0, 1).value_or(0);
        const std::string city = words_of(object, "city");
        const std::string region = words_of(object, "region");
        const std::string country = words_of(object, "country");
        const auto home = country.empty() ? std::nullopt : country_of(country);
        if (!country.empty() && !home) {
            throw BadLocation("no country is called " + cli::shown(country));
        }
        Location location;
        location.method = "moonshot_batch";
        location.confidence = confidence > medium_above ? "medium" : "low";
        location.basis = words_of(object, "reason");
        location.name = name_of(city, region, home);
        location.country = home ? home->country : std::string{};
        if (position) {
            location.latitude = position->latitude;
            location.longitude = position->longitude;
            return to_result(location);
        }
        if (city.empty() && region.empty() && !home) return {};
        return to_result(geocoded(std::move(location), city, region, home));
    }

  private:
    // By its code or its name.
    [[nodiscard]] std::optional<Place> country_of(const std::string& country) const {
        const std::string tag = "country:" + country;
        return gazetteer_.locate({.source_tag = tag});
    }

    static std::string name_of(const std::string& city, const std::string& region,
                               const std::optional<Place>& home) {
        if (!city.empty()) return city;
        if (!region.empty()) return region;
        return home ? home->name : std::string{};
    }

    // The gazetteer's position of what the service named.
    [[nodiscard]] Location geocoded(Location location, const std::string& city,
                                    const std::string& region,
                                    const std::optional<Place>& home) const {
        std::string title;
        for (const std::string& part : {city, region, home ? home->name : std::string{}}) {
            if (part.empty()) continue;
            if (!title.empty()) title += ", ";
            title += part;
        }
        const std::string tag = home ? "country:" + home->country : std::string{};
        std::optional<Place> place = gazetteer_.locate({.title = title, .source_tag = tag});
        if (place && home && place->country != home->country) place = home;
        if (!place) place = home;
        if (!place) throw BadLocation("no place is called " + cli::shown(title));
        location.latitude = place->latitude;
        location.longitude = place->longitude;
        if (location.country.empty()) location.country = place->country;
        location.basis += (location.basis.empty() ? "" : "; ") + std::string("position of ") +
                          place->name + " by the gazetteer";
        return location;
    }

    const Gazetteer& gazetteer_;
};

// Models like to fence their JSON.
std::string_view unfenced(std::string_view text) {
    const auto begin = text.find("```");
    if (begin == std::string_view::npos) return text;
    const auto line = text.find('\n', begin);
    const auto end = text.rfind("```");
    if (line == std::string_view::npos || end <= line) return text;
    return text.substr(line + 1, end - line - 1);
}

// The list of locations, also where a server that knows no schema leaves out its name.
const json* list_of(const json& content) {
    if (content.is_array()) return &content;
    if (!content.is_object()) return nullptr;
    const auto named = content.find("locations");
    if (named != content.end()) return named->is_array() ? &*named : nullptr;
    const json* only = nullptr;
    for (const json& member : content) {
        if (!member.is_array()) continue;
        if (only != nullptr) return nullptr;
        only = &member;
    }
    return only;
}

std::string count_of(std::size_t part, std::size_t whole) {
    return std::to_string(part) + " of " + std::to_string(whole);
}

void read_locations(ChatAnswer& answer, const json& list, const std::set<std::string>& keys,
                    const Gazetteer& gazetteer) {
    const LocationReader reader(gazetteer);
    std::set<std::string> seen;
    std::size_t unknown = 0;
    std::size_t doubled = 0;
    std::string first_unknown;
    std::string first_bad;
    for (const json& object : list) {
        const std::string name = text_member(object, "key");
        if (!keys.contains(name)) {
            if (unknown++ == 0) first_unknown = name;
            continue;
        }
        if (!seen.insert(name).second) {
            ++doubled;
            continue;
        }
        try {
            answer.acked.push_back({.key = name, .result = reader.read(object)});
        } catch (const BadLocation& error) {
            if (first_bad.empty()) first_bad = error.what();
        }
    }
    if (unknown > 0) {
        answer.remarks.push_back(std::to_string(unknown) + " keys that were not asked, the first " +
                                 cli::shown(first_unknown) + ", are ignored");
    }
    if (doubled > 0) {
        answer.remarks.push_back(std::to_string(doubled) +
                                 " keys were answered twice: the first answer counts");
    }
    const std::size_t missing = keys.size() - answer.acked.size();
    if (missing == 0) return;
    answer.error = "no usable location for " + count_of(missing, keys.size()) + " alerts";
    if (!first_bad.empty()) answer.error += ", of the first " + first_bad;
    answer.error = fold(answer.error, 300);
}

void read_content(ChatAnswer& answer, const std::string& text, const std::set<std::string>& keys,
                  const Gazetteer& gazetteer) {
    json content = json::parse(text, nullptr, false);
    if (content.is_discarded()) content = json::parse(unfenced(text), nullptr, false);
    const json* list = content.is_discarded() ? nullptr : list_of(content);
    if (list == nullptr) {
        answer.verdict = ChatVerdict::bad_request;
        answer.error = text.empty()             ? "the model said nothing"
                       : content.is_discarded() ? "the model's answer is no JSON"
                                                : "the model's answer has no list of locations";
        return;
    }
    answer.verdict = ChatVerdict::answered;
    read_locations(answer, *list, keys, gazetteer);
}

// What choices[0] says; false: this is no chat completion.
bool read_completion(ChatAnswer& answer, const json& whole, const std::set<std::string>& keys,
                     const Gazetteer& gazetteer) {
    if (!whole.is_object()) return false;
    const auto choices = whole.find("choices");
    if (choices == whole.end() || !choices->is_array() || choices->empty()) return false;
    const json& choice = choices->front();
    if (!choice.is_object()) return false;
    const std::string reason = text_member(choice, "finish_reason");
    if (reason == "length") {
        answer.verdict = ChatVerdict::cut_short;
        answer.error = "finish_reason length: the answer was cut off";
        return true;
    }
    if (reason == "content_filter") {
        answer.verdict = ChatVerdict::bad_request;
        answer.error = "finish_reason content_filter";
        return true;
    }
    const auto message = choice.find("message");
    if (message == choice.end() || !message->is_object()) return false;
    read_content(answer, text_member(*message, "content"), keys, gazetteer);
    return true;
}

}  // namespace

ChatAnswer read_chat_answer(const HttpResponse& response, const std::set<std::string>& keys,
                            const Gazetteer& gazetteer, WallTime now) {
    ChatAnswer answer;
    answer.retry_after = parse_retry_after(response.header("retry-after"), now);
    const json whole = json::parse(response.body, nullptr, false);
    const ApiError error = read_api_error(whole);
    const bool good = response.status >= 200 && response.status < 300;
    if (!good || !error.empty()) {
        answer.verdict = verdict_of(response.status, error);
        // A server that names its time is overloaded, or at work on itself: nobody need try.
        if (response.status == 503 && answer.retry_after) {
            answer.verdict = ChatVerdict::rate_limited;
        }
        answer.error = line_of(response.status, error);
        return answer;
    }
    if (read_completion(answer, whole, keys, gazetteer)) return answer;
    answer.verdict = ChatVerdict::unavailable;
    answer.error = "HTTP " + std::to_string(response.status) + " without a chat completion: " +
                   (response.body.empty() ? "empty" : for_message(response.body));
    return answer;
}

}  // namespace headpond::ingest
