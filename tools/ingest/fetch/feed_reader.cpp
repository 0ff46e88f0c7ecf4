#include "fetch/feed_reader.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace headpond::ingest {

namespace {

constexpr std::size_t threads_max = 4;
// Small answers and failures count for this much, so that their number is bounded too.
constexpr std::size_t answer_bytes_min = 4'096;
// Waits are measured while the machine is awake, the schedule is not.
constexpr Ms wait_max{10'000};

std::size_t weight_of(const FeedAnswer& answer) {
    return std::max(answer.body.size(), answer_bytes_min);
}

FeedAnswer failed(std::string why, WallTime at) {
    FeedAnswer answer;
    answer.error = std::move(why);
    answer.at = at;
    return answer;
}

}  // namespace

FeedReader::FeedReader(std::vector<ReaderFeed> feeds, const FetchSettings& settings,
                       std::shared_ptr<Clock> clock, std::shared_ptr<Random> random,
                       const std::stop_token& stop)
    : settings_(settings),
      clock_(std::move(clock)),
      random_(std::move(random)),
      on_stop_(stop, [this] { ending_.request_stop(); }),
      feeds_(std::move(feeds)),
      schedule_({.interval = settings.follow,
                 .host_delay = settings.host_delay,
                 .patience = settings.timeout},
                *random_),
      left_(feeds_.size()) {
    for (const ReaderFeed& feed : feeds_) {
        schedule_.add(feed.source.host, feed.next_at, feed.failures);
    }
    for (std::size_t i = 0; i < std::min(threads_max, feeds_.size()); ++i) {
        threads_.emplace_back([this] { run(); });
    }
}

FeedReader::~FeedReader() {
    ending_.request_stop();
}

void FeedReader::run() {
    std::unique_lock lock(mutex_);
    while (const auto feed = claim(lock)) {
        const ReaderFeed asked = feeds_[*feed];
        lock.unlock();
        std::optional<FeedAnswer> answer;
        try {
            answer =
                ask_feed(asked.source, asked.validators, settings_, *clock_, ending_.get_token());
        } catch (const std::exception& error) {
            answer = failed(error.what(), clock_->wall());
        }
        lock.lock();
        if (!answer) return;
        schedule_.answered(*feed, clock_->since_boot(), answer->retry_after);
        hand_over(*feed, std::move(*answer));
    }
}

// Waits for a feed that is due; nullopt: it is over.
std::optional<std::size_t> FeedReader::claim(std::unique_lock<std::mutex>& lock) {
    const std::stop_token end = ending_.get_token();
    while (!end.stop_requested()) {
        const Ms now = clock_->since_boot();
        Ms wait = wait_max;
        if (bytes_ <= settings_.bytes_max) {
            if (const auto feed = schedule_.give_up(now)) {
                const Ms pause = schedule_.pause_of(*feed, now);
                hand_over(*feed, failed("not asked: its host wants to be left alone for " +
                                            std::to_string(pause.count() / 1000) +
                                            " s; allowed: a later run",
                                        clock_->wall()));
                continue;
            }
            if (const auto feed = schedule_.start(now)) return feed;
            if (const auto next = schedule_.next_start()) wait = std::min(wait, *next - now);
        }
        const std::uint64_t seen = changes_;
        changed_.wait_for(lock, end, wait, [&] { return changes_ != seen; });
    }
    return std::nullopt;
}

void FeedReader::hand_over(std::size_t feed, FeedAnswer answer) {
    answer.feed = feed;
    bytes_ += weight_of(answer);
    answers_.push_back(std::move(answer));
    change();
}

void FeedReader::change() {
    ++changes_;
    changed_.notify_all();
}

std::optional<FeedAnswer> FeedReader::next(Ms wait) {
    std::unique_lock lock(mutex_);
    const auto has_come = [&] { return !answers_.empty() || (!settings_.follow && left_ == 0); };
    changed_.wait_for(lock, ending_.get_token(), wait, has_come);
    if (answers_.empty() || ending_.stop_requested()) return std::nullopt;
    FeedAnswer answer = std::move(answers_.front());
    answers_.pop_front();
    bytes_ -= weight_of(answer);
    if (left_ > 0) --left_;
    change();
    return answer;
}

FeedSchedule::Plan FeedReader::finish(std::size_t feed, FeedSchedule::Result result,
                                      const Validators& validators) {
    const std::lock_guard lock(mutex_);
    feeds_.at(feed).validators = validators;
    const auto plan = schedule_.finish(feed, result, clock_->since_boot());
    change();
    return plan;
}

bool FeedReader::done() const {
    const std::lock_guard lock(mutex_);
    return !settings_.follow && left_ == 0;
}

}  // namespace headpond::ingest
