#include "moonshot/moonshot_resolver.h"

#include "../headpond/utf8.h"
#include "http/http_client.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include <spdlog/spdlog.h>

namespace headpond::ingest {

namespace {

// Several times what a model says at once. Nested brackets take 70 times their size to read.
constexpr std::size_t answer_bytes_max = std::size_t{2} << 20;
// A part of the key that is as long gives it away; a key of twice that is found in no other text.
constexpr std::size_t telling = 8;

void replace_all(std::string& text, const std::string& part, const std::string& by) {
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + by.size())) {
        text.replace(at, part.size(), by);
    }
}

std::size_t common_prefix(std::string_view one, std::string_view other) {
    const auto end = std::mismatch(one.begin(), one.end(), other.begin(), other.end()).first;
    return static_cast<std::size_t>(end - one.begin());
}

}  // namespace

std::string completions_url(const std::string& base_url) {
    std::string url = base_url;
    while (url.ends_with('/')) url.pop_back();
    const auto host = url.find("://");
    const bool has_path = url.find('/', host + 3) != std::string::npos;
    return url + (has_path ? "" : "/v1") + "/chat/completions";
}

MoonshotResolver::MoonshotResolver(MoonshotSettings settings, const Options& queue)
    : settings_(std::move(settings)),
      url_(completions_url(settings_.base_url)),
      gazetteer_(Gazetteer::builtin()),
      backoff_base_(queue.backoff_base.value_or(Ms{1'000})),
      backoff_max_(queue.backoff_max.value_or(Ms{300'000})),
      clock_(queue.clock ? queue.clock : system_clock()),
      random_(queue.random ? queue.random : system_random()) {}

Settlement MoonshotResolver::resolve(std::span<const Item> items, const std::stop_token& stop) {
    const Asked asked = read(items);
    Settlement settlement;
    if (!asked.alerts.empty()) {
        const auto start = std::chrono::steady_clock::now();
        bool stopped = false;
        ChatAnswer answer;
        try {
            answer = ask(asked, stop);
        } catch (const HttpError& error) {
            stopped = error.kind() == HttpFailure::stopped;
            answer.error = error.what();
        }
        answer.error = without_key(answer.error);
        for (const std::string& remark : answer.remarks) {
            spdlog::warn("Moonshot: {}", cli::one_line(without_key(remark)));
        }
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        spdlog::log(answer.error.empty() ? spdlog::level::info : spdlog::level::warn,
                    "Moonshot: {} of {} alerts located in {:.1f} s{}{}", answer.acked.size(),
                    asked.alerts.size(), seconds, answer.error.empty() ? "" : "; ",
                    cli::one_line(answer.error));
        settlement = settle(std::move(answer), stopped);
    }
    settlement.rejected = asked.unreadable;
    return settlement;
}

MoonshotResolver::Asked MoonshotResolver::read(std::span<const Item> items) {
    Asked asked;
    for (const Item& item : items) {
        try {
            asked.alerts.push_back({.key = item.key, .text = from_payload(item.payload)});
            asked.keys.insert(item.key);
        } catch (const std::runtime_error& error) {
            asked.unreadable.push_back({.item_id = item.id, .reason = error.what()});
        }
    }
    return asked;
}

ChatAnswer MoonshotResolver::ask(const Asked& asked, const std::stop_token& stop) const {
    HttpResponse response = http_exchange(
        {.url = url_,
         .body = chat_request(settings_.model, asked.alerts),
         // Without the wait for a go-ahead before a large body.
         .headers = {"Content-Type: application/json", "Accept: application/json", "Expect:"},
         .bearer_token = settings_.key,
         .connect_timeout = settings_.connect_timeout,
         .total_timeout = settings_.call_timeout,
         .body_bytes_max = answer_bytes_max},
        stop);
    // Before anything of it is cut, which would hide where the key stands, or is kept as a result.
    if (settings_.key.size() >= 2 * telling) replace_all(response.body, settings_.key, "***");
    return read_chat_answer(response, asked.keys, gazetteer_, clock_->wall());
}

Settlement MoonshotResolver::settle(ChatAnswer answer, bool stopped) {
    Settlement settlement;
    settlement.error = "moonshot: " + answer.error;
    settlement.rest = Rest::release;
    if (stopped) return settlement;
    if (answer.verdict != ChatVerdict::unavailable) failures_ = 0;
    switch (answer.verdict) {
        case ChatVerdict::answered:
            settlement.acked = std::move(answer.acked);
            settlement.rest = Rest::nack;
            break;
        case ChatVerdict::cut_short:
            settlement.rest = Rest::split;
            break;
        case ChatVerdict::bad_request:
            settlement.rest = Rest::nack;
            break;
        case ChatVerdict::rate_limited:
            settlement.delay =
                std::max(answer.retry_after.value_or(rate_limit_pause), rate_limit_pause_min);
            settlement.close_gate = {.duration = settlement.delay, .reason = settlement.error};
            break;
        case ChatVerdict::refused:
            settlement.close_gate = {.duration = {}, .reason = settlement.error};
            break;
        case ChatVerdict::unavailable:
            settlement.delay = std::max(backoff(), answer.retry_after.value_or(Ms{0}));
            break;
    }
    return settlement;
}

// Doubled for each failure in a row, and spread over its upper half, so that processes that failed
// together do not come back together.
Ms MoonshotResolver::backoff() {
    const int doublings = std::min(failures_++, 20);
    const std::int64_t whole =
        std::min(backoff_max_.count(), backoff_base_.count() * (std::int64_t{1} << doublings));
    const auto spread = static_cast<std::uint64_t>(whole / 2);
    const std::uint64_t off = spread == 0 ? 0 : random_->next() % (spread + 1);
    return Ms{whole - static_cast<std::int64_t>(off)};
}

// Servers repeat the key that they refuse, whole or in part.
std::string MoonshotResolver::without_key(std::string_view text) const {
    const std::string_view key = settings_.key;
    const std::size_t least = key.size() > 2 * telling ? telling : key.size();
    std::string safe;
    while (!text.empty()) {
        std::size_t run = 0;
        for (std::size_t from = 0; from + least <= key.size(); ++from) {
            run = std::max(run, common_prefix(key.substr(from), text));
        }
        if (run >= least) {
            safe += "***";
        } else {
            safe += text.front();
            run = 1;
        }
        text.remove_prefix(run);
    }
    return safe;
}

}  // namespace headpond::ingest
