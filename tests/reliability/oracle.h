// What processes asked for and were told, and whether a queue's file agrees: lost, unexpected,
// duplicated, recovered, as Jepsen's total-queue checker counts them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::reliability {

// How a call ended for a key.
enum class Told {
    yes,      // acknowledged: the change must be there
    no,       // answered: nothing was changed (duplicate, refused, fenced, gone)
    error,    // an error that promises that nothing was changed
    unknown,  // an error that says so: it may or may not be there
};
enum class Verb { enqueue, deliver, ack, reject, cancel, forget };

// One thread's record of its calls, written before and after each. Kept in memory, or appended to a
// file with one write a call, so that a killed process leaves all but a torn last line.
class History {
  public:
    History() = default;
    explicit History(const std::filesystem::path& file);
    History(const History&) = delete;
    History& operator=(const History&) = delete;
    ~History();

    void asked(Verb verb, const std::vector<std::string>& keys);
    void told(Verb verb, const std::vector<std::pair<std::string, Told>>& answers);
    void told(Verb verb, const std::vector<std::string>& keys, Told answer);
    // A lease that was asked for at `asked_at` (now()) handed these out.
    void delivered(const std::vector<std::string>& keys, std::int64_t asked_at);
    [[nodiscard]] static std::int64_t now();
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    void append(const std::string& lines);
    std::string text_;
    int fd_ = -1;
};

// All that is known of one key from one or more histories. Times are CLOCK_MONOTONIC nanoseconds.
struct KeyFacts {
    bool asked[6] = {};                // by Verb
    bool yes[6] = {};                  // acknowledged
    bool may[6] = {};                  // unknown, or never answered
    std::int64_t acked_at = 0;         // when the acknowledgement was told
    std::vector<std::int64_t> leases;  // when the leases that delivered it were asked for
};

class Oracle {
  public:
    // Adds a history's text, or a file's; a torn last line is ignored.
    void add(std::string_view text);
    void add_file(const std::filesystem::path& file);

    struct Verdict {
        std::int64_t lost = 0, unexpected = 0, duplicated = 0, recovered = 0;
        std::int64_t keys = 0;
        std::vector<std::string> violations;
    };
    // Compares with the rows of the file at `path`, which nobody writes meanwhile. Every item is
    // tracked, keys are used once, and outcomes are dropped by forget alone. Keys that begin with
    // "guest" have a row of the same key in a table `guest`, made in the same transact.
    [[nodiscard]] Verdict judge(const std::filesystem::path& path) const;
    [[nodiscard]] const std::map<std::string, KeyFacts>& keys() const { return keys_; }

  private:
    std::map<std::string, KeyFacts> keys_;
};

// The invariants that hold in every file whatever was asked: integrity, ledger, ranges, schema,
// bounds, attempts. Empty when all hold. Opens and closes the queue. `items_max` is the highest
// limit that was ever set, since a lowered one is reached by the next enqueues (rule 1); empty: the
// file's own.
[[nodiscard]] std::vector<std::string> broken_invariants(
    const std::filesystem::path& path, std::optional<std::int64_t> items_max = {});

}  // namespace headpond::reliability
