// When which feed is asked: decisions only.
#pragma once

#include <headpond/clock.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace headpond::ingest {

struct ScheduleRules {
    std::optional<Ms> interval;  // from one question to the next; none: each feed is asked once
    Ms host_delay{1'000};        // from the end of one question of a host to the start of the next
    Ms patience{30'000};         // where each is asked once: longer pauses of a host are not kept
};

// Feeds are counted from 0 in the order of their addition. All times are since boot. One thread.
class FeedSchedule {
  public:
    enum class Result { good, failed, gone, not_stored };
    struct Plan {
        Ms next_at{0};  // the feed may be asked again
        int failures = 0;
    };

    FeedSchedule(ScheduleRules rules, Random& random);

    // `host` is never asked twice at once; empty: a file, which waits for nobody and is read as
    // often after failures as before. Where each is asked once, `next_at` is not looked at.
    void add(const std::string& host, Ms next_at, int failures);

    // A feed to be asked now, the one that waits longest; its host is busy until answered().
    [[nodiscard]] std::optional<std::size_t> start(Ms now);
    // A feed that is not asked in this run, because its host wants a pause over `patience`.
    [[nodiscard]] std::optional<std::size_t> give_up(Ms now);
    // When start() will have one, unless another call comes first; nullopt: not before.
    [[nodiscard]] std::optional<Ms> next_start() const;

    // Its host may be asked again, after the delay or what Retry-After said.
    void answered(std::size_t feed, Ms now, std::optional<Ms> retry_after);
    // What came of it. A feed that fails is asked at intervals that double up to an hour, one that
    // is gone after a day, one that was read and not stored after a minute at most.
    Plan finish(std::size_t feed, Result result, Ms now);

    // How long its host wants to be left alone; 0: it does not.
    [[nodiscard]] Ms pause_of(std::size_t feed, Ms now) const;

  private:
    struct Host {
        bool busy = false;
        Ms free_at{0};
        Ms quiet_until{0};  // as Retry-After said
    };
    struct Feed {
        Host* host = nullptr;  // null: a file
        Ms next_at{0};
        Ms started{0};
        int failures = 0;
        bool waits = true;  // false: being asked, or never again
    };
    [[nodiscard]] static Ms possible_at(const Feed& feed);
    [[nodiscard]] Ms pause_after(int failures);

    ScheduleRules rules_;
    Random& random_;
    std::map<std::string, Host> hosts_;  // its nodes stay where they are
    std::vector<Feed> feeds_;
};

}  // namespace headpond::ingest
