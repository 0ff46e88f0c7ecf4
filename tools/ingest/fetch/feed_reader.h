// Threads that ask feeds as they become due, and hand over what they bring.
#pragma once

#include "fetch/feed_request.h"
#include "fetch/feed_schedule.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace headpond::ingest {

// A feed and what an earlier run left of it.
struct ReaderFeed {
    FeedSource source;
    Validators validators;
    Ms next_at{0};  // since boot
    int failures = 0;
};

// Asks different hosts in parallel by a few threads. A feed is asked only while the bodies that
// nobody has taken yet are within settings.bytes_max: in memory are never more than those, one a
// thread, and the one that was taken. next() and finish() are for one thread.
class FeedReader {
  public:
    // `feeds` are counted from 0; begins at once.
    FeedReader(std::vector<ReaderFeed> feeds, const FetchSettings& settings,
               std::shared_ptr<Clock> clock, std::shared_ptr<Random> random,
               const std::stop_token& stop);
    FeedReader(const FeedReader&) = delete;
    FeedReader& operator=(const FeedReader&) = delete;
    // Ends requests that are under way.
    ~FeedReader();

    // The next answer; waits for it up to `wait`. nullopt: none came, `stop` was asked for, or
    // there will be none.
    [[nodiscard]] std::optional<FeedAnswer> next(Ms wait);
    // What became of an answer, once for each: the feed is not asked before. `validators` go with
    // the next request.
    FeedSchedule::Plan finish(std::size_t feed, FeedSchedule::Result result,
                              const Validators& validators);
    // Where each feed is asked once: all answers were taken.
    [[nodiscard]] bool done() const;

  private:
    void run();
    std::optional<std::size_t> claim(std::unique_lock<std::mutex>& lock);
    void hand_over(std::size_t feed, FeedAnswer answer);
    void change();

    const FetchSettings settings_;
    const std::shared_ptr<Clock> clock_;
    const std::shared_ptr<Random> random_;
    std::stop_source ending_;
    std::stop_callback<std::function<void()>> on_stop_;
    mutable std::mutex mutex_;  // guards the members from changes_ to left_
    std::condition_variable_any changed_;
    std::uint64_t changes_ = 0;
    std::vector<ReaderFeed> feeds_;
    FeedSchedule schedule_;
    std::deque<FeedAnswer> answers_;
    std::size_t bytes_ = 0;  // of the answers
    std::size_t left_ = 0;   // answers that will still be taken, where each feed is asked once
    std::vector<std::jthread> threads_;  // end before what they use
};

}  // namespace headpond::ingest
