#include "fetch/feed_schedule.h"

#include <algorithm>
#include <utility>

namespace headpond::ingest {

namespace {

constexpr Ms hour{3600'000};
constexpr Ms day{24 * hour};
// What a run that asks once takes for the interval of a feed that fails: the next run may follow.
constexpr Ms interval_unknown{60'000};
// It is the database that was busy, not the feed.
constexpr Ms retry_not_stored{60'000};
constexpr int failures_counted = 1'000'000;

}  // namespace

FeedSchedule::FeedSchedule(ScheduleRules rules, Random& random)
    : rules_(std::move(rules)), random_(random) {}

void FeedSchedule::add(const std::string& host, Ms next_at, int failures) {
    Feed feed;
    if (!host.empty()) feed.host = &hosts_[host];
    if (rules_.interval) feed.next_at = next_at;
    feed.failures = std::clamp(failures, 0, failures_counted);
    feeds_.push_back(feed);
}

Ms FeedSchedule::possible_at(const Feed& feed) {
    if (feed.host == nullptr) return feed.next_at;
    return std::max({feed.next_at, feed.host->free_at, feed.host->quiet_until});
}

std::optional<std::size_t> FeedSchedule::start(Ms now) {
    Feed* found = nullptr;
    for (Feed& feed : feeds_) {
        if (!feed.waits || (feed.host != nullptr && feed.host->busy)) continue;
        if (possible_at(feed) > now) continue;
        if (found == nullptr || feed.next_at < found->next_at) found = &feed;
    }
    if (found == nullptr) return std::nullopt;
    found->waits = false;
    found->started = now;
    if (found->host != nullptr) found->host->busy = true;
    return static_cast<std::size_t>(found - feeds_.data());
}

std::optional<std::size_t> FeedSchedule::give_up(Ms now) {
    if (rules_.interval) return std::nullopt;
    for (Feed& feed : feeds_) {
        if (!feed.waits || feed.host == nullptr) continue;
        if (feed.host->quiet_until <= now + rules_.patience) continue;
        feed.waits = false;
        return static_cast<std::size_t>(&feed - feeds_.data());
    }
    return std::nullopt;
}

std::optional<Ms> FeedSchedule::next_start() const {
    std::optional<Ms> next;
    for (const Feed& feed : feeds_) {
        if (!feed.waits || (feed.host != nullptr && feed.host->busy)) continue;
        const Ms at = possible_at(feed);
        if (!next || at < *next) next = at;
    }
    return next;
}

void FeedSchedule::answered(std::size_t feed, Ms now, std::optional<Ms> retry_after) {
    Host* host = feeds_.at(feed).host;
    if (host == nullptr) return;
    host->busy = false;
    host->free_at = now + rules_.host_delay;
    if (retry_after) host->quiet_until = std::max(host->quiet_until, now + *retry_after);
}

FeedSchedule::Plan FeedSchedule::finish(std::size_t index, Result result, Ms now) {
    Feed& feed = feeds_.at(index);
    const Ms interval = rules_.interval.value_or(Ms{0});
    if (result == Result::good || result == Result::not_stored) {
        feed.failures = 0;
    } else {
        feed.failures = std::min(feed.failures + 1, failures_counted);
    }
    if (result == Result::not_stored) {
        feed.next_at = now + std::min(interval, retry_not_stored);
    } else if (result == Result::good || feed.host == nullptr) {
        feed.next_at = std::max(now, feed.started + interval);
    } else if (result == Result::gone) {
        feed.next_at = now + std::max(day, interval);
    } else {
        feed.next_at = now + pause_after(feed.failures);
    }
    if (feed.host != nullptr) feed.next_at = std::max(feed.next_at, feed.host->quiet_until);
    feed.waits = rules_.interval.has_value();
    return {.next_at = feed.next_at, .failures = feed.failures};
}

// Between half of the doubled interval and the whole, so that feeds that failed together do not
// come back together.
Ms FeedSchedule::pause_after(int failures) {
    const Ms interval = rules_.interval.value_or(interval_unknown);
    const Ms ceiling = std::max(hour, interval);
    Ms pause = interval;
    for (int i = 0; i < failures && pause < ceiling; ++i) pause *= 2;
    pause = std::min(pause, ceiling);
    const auto half = static_cast<std::uint64_t>(pause.count() / 2);
    const Ms jitter{static_cast<std::int64_t>(random_.next() % (half + 1))};
    return std::max(interval, pause - jitter);
}

Ms FeedSchedule::pause_of(std::size_t feed, Ms now) const {
    const Host* host = feeds_.at(feed).host;
    return host == nullptr ? Ms{0} : std::max(Ms{0}, host->quiet_until - now);
}

}  // namespace headpond::ingest
