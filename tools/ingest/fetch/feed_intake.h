// The feeds that are asked by threads, and what is known of each: in the table `feeds` and the log.
#pragma once

#include "feed/feed.h"
#include "fetch/feed_reader.h"
#include "pipeline.h"

#include <headpond/queue.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace headpond::ingest {

// One thread. Where each feed is asked once, attach() may come when the first has been read: a new
// file is not made for nothing.
class FeedIntake {
  public:
    // A feed that was read, whose alerts are to be stored.
    struct Arrival {
        FeedAnswer answer;  // without its body
        Feed feed;
        std::string shown;  // the feed's name for messages
    };

    FeedIntake(const std::vector<FeedSource>& sources, const FetchSettings& settings,
               std::shared_ptr<Clock> clock, std::shared_ptr<Random> random);

    // From now on what is known of the addresses is kept in the queue's file. Before start() it is
    // read from there. The queue must outlive this.
    void attach(Queue& queue);
    void start(const std::stop_token& stop);

    // Waits up to `wait` for an answer. nullopt: none came, or it brought nothing to store, which
    // has been seen to. One that is not followed by stored() counts as not stored.
    [[nodiscard]] std::optional<Arrival> next(Ms wait);
    // Before its alerts are stored: until stored() the next request is unconditional.
    void storing(const Arrival& arrival);
    // What became of them. `whole`: all are stored. True: that some were left out is news.
    bool stored(const Arrival& arrival, const LeftOut& left, bool whole);

    // Where each feed is asked once: all have been.
    [[nodiscard]] bool done() const { return !reader_ || reader_->done(); }
    // A feed could not be read.
    [[nodiscard]] bool failed() const noexcept { return failed_; }

  private:
    struct Known {
        FeedSource source;
        FeedRow row;
        bool told = false;           // that it fails
        bool told_left_out = false;  // that alerts were left out
        std::size_t warned = 0;      // a hash of the warnings that were logged
        bool unsaved = false;
    };

    void finish(Known& known, const FeedAnswer& answer, FeedSchedule::Result result);
    void fail(Known& known, const FeedAnswer& answer, const std::string& error,
              FeedSchedule::Result result);
    void recover(Known& known);
    void put_back(Known& known);
    void postpone_host(const Known& known, const FeedAnswer& answer);
    std::optional<Feed> parse(Known& known, FeedAnswer& answer);
    void warn(Known& known, const Feed& feed);
    void save();
    [[nodiscard]] ReaderFeed resumed(const Known& known) const;

    const FetchSettings settings_;
    const std::shared_ptr<Clock> clock_;
    const std::shared_ptr<Random> random_;
    std::vector<Known> feeds_;
    std::optional<std::size_t> in_hand_;  // given to the caller, and not finished
    bool failed_ = false;
    Queue* queue_ = nullptr;
    std::unique_ptr<FeedReader> reader_;
};

}  // namespace headpond::ingest
