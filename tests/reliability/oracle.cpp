#include "reliability/oracle.h"

#include "support/raw_database.h"

#include <headpond/admin.h>
#include <headpond/headpond.h>

#include <array>
#include <charconv>
#include <chrono>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <unistd.h>

namespace headpond::reliability {

namespace {

constexpr std::array<std::string_view, 6> verbs{"enqueue", "deliver", "ack",
                                                "reject",  "cancel",  "forget"};
constexpr std::array<std::string_view, 4> answers{"yes", "no", "error", "unknown"};
constexpr std::string_view ask = "ask";

std::size_t at(Verb verb) {
    return static_cast<std::size_t>(verb);
}

std::string line(std::int64_t when, Verb verb, std::string_view word, const std::string& key) {
    return std::to_string(when) + ' ' + std::string(verbs[at(verb)]) + ' ' + std::string(word) +
           ' ' + key + '\n';
}

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& words, std::string_view word) {
    for (std::size_t i = 0; i < N; ++i) {
        if (words[i] == word) return i;
    }
    throw std::runtime_error("a history has the word '" + std::string(word) + "'");
}

}  // namespace

// --- history -------------------------------------------------------------------------------------

History::History(const std::filesystem::path& file)
    : fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    if (fd_ < 0) throw std::runtime_error("cannot open " + file.string());
}

History::~History() {
    if (fd_ >= 0) ::close(fd_);
}

void History::asked(Verb verb, const std::vector<std::string>& keys) {
    const std::int64_t at_once = now();
    std::string lines;
    for (const auto& key : keys) lines += line(at_once, verb, ask, key);
    append(lines);
}

void History::told(Verb verb, const std::vector<std::pair<std::string, Told>>& all) {
    const std::int64_t at_once = now();
    std::string lines;
    for (const auto& [key, answer] : all) {
        lines += line(at_once, verb, answers[static_cast<std::size_t>(answer)], key);
    }
    append(lines);
}

void History::told(Verb verb, const std::vector<std::string>& keys, Told answer) {
    std::vector<std::pair<std::string, Told>> all;
    for (const auto& key : keys) all.emplace_back(key, answer);
    told(verb, all);
}

void History::delivered(const std::vector<std::string>& keys, std::int64_t asked_at) {
    std::string lines;
    for (const auto& key : keys) lines += line(asked_at, Verb::deliver, "yes", key);
    append(lines);
}

std::int64_t History::now() {
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

void History::append(const std::string& lines) {
    if (fd_ < 0) {
        text_ += lines;
        return;
    }
    if (::write(fd_, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) {
        throw std::runtime_error("cannot write a history");
    }
}

// --- oracle --------------------------------------------------------------------------------------

void Oracle::add(std::string_view text) {
    for (std::size_t end; (end = text.find('\n')) != std::string_view::npos;) {
        std::istringstream words{std::string(text.substr(0, end))};
        text.remove_prefix(end + 1);
        std::int64_t when = 0;
        std::string verb_word, word, key;
        words >> when >> verb_word >> word >> key;
        const std::size_t verb = index_of(verbs, verb_word);
        KeyFacts& facts = keys_[key];
        if (word == ask) {
            facts.asked[verb] = true;
            facts.may[verb] = true;  // until it is answered
            continue;
        }
        const auto answer = static_cast<Told>(index_of(answers, word));
        facts.may[verb] = answer == Told::unknown;
        if (answer != Told::yes) continue;
        facts.yes[verb] = true;
        if (verb == at(Verb::ack)) facts.acked_at = when;
        if (verb == at(Verb::deliver)) facts.leases.push_back(when);
    }
}

void Oracle::add_file(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    add(text.str());
}

namespace {

// The rows that tell where a key is.
struct Rows {
    std::set<std::string> resident;
    std::map<std::string, std::string> outcomes;  // state, or the reason of a fallback
    std::map<std::string, std::string> results;
    std::set<std::string> guests;

    explicit Rows(const std::filesystem::path& path) {
        test::RawDatabase raw(path.string());
        for (const auto& row : raw.rows("SELECT key FROM items")) resident.insert(row[0]);
        for (const auto& row :
             raw.rows("SELECT key, coalesce(reason, state), coalesce(result, '') FROM outcomes")) {
            outcomes[row[0]] = row[1];
            results[row[0]] = row[2];
        }
        if (!raw.rows("SELECT 1 FROM sqlite_schema WHERE name = 'guest'").empty()) {
            for (const auto& row : raw.rows("SELECT key FROM guest")) guests.insert(row[0]);
        }
    }
};

// One key's facts beside its rows.
class Judging {
  public:
    Judging(const std::string& key, const KeyFacts& facts, const Rows& rows,
            Oracle::Verdict& verdict)
        : key_(key), facts_(facts), rows_(rows), verdict_(verdict) {
        resident_ = rows.resident.contains(key);
        const auto outcome = rows.outcomes.find(key);
        if (outcome != rows.outcomes.end()) outcome_ = outcome->second;
    }

    void run() {
        const bool present = resident_ || !outcome_.empty();
        const bool may_be_forgotten = asked(Verb::forget);
        const bool may_exist = yes(Verb::enqueue) || may(Verb::enqueue);
        if (yes(Verb::enqueue) && !present && !may_be_forgotten) {
            verdict_.lost += 1;
            say("was stored and is nowhere");
        }
        if (present && !may_exist) {
            verdict_.unexpected += 1;
            say("is there and was never stored");
        }
        if (present && may_exist && !yes(Verb::enqueue)) verdict_.recovered += 1;
        if (resident_ && !outcome_.empty()) say("is resident and has the outcome " + outcome_);
        judge_ends();
        if (key_.starts_with("guest")) judge_guest(present, may_be_forgotten);
    }

  private:
    [[nodiscard]] bool asked(Verb verb) const { return facts_.asked[at(verb)]; }
    [[nodiscard]] bool yes(Verb verb) const { return facts_.yes[at(verb)]; }
    [[nodiscard]] bool may(Verb verb) const { return facts_.may[at(verb)]; }

    void judge_ends() {
        if (yes(Verb::ack)) {
            bool again = resident_;
            for (const std::int64_t lease : facts_.leases) again |= lease > facts_.acked_at;
            if (again) {
                verdict_.duplicated += 1;
                say(resident_ ? "was acked and is resident" : "was delivered after its ack");
            }
            if (!resident_ && !outcome_.empty() && outcome_ != "resolved") {
                say("was acked and has the outcome " + outcome_);
            }
        }
        if (outcome_ == "resolved") {
            if (!asked(Verb::ack)) unasked();
            if (rows_.results.at(key_) != "result of " + key_) say("has another's result");
        }
        if (outcome_ == "rejected" && !asked(Verb::reject)) unasked();
        if (outcome_ == "cancelled" && !asked(Verb::cancel)) unasked();
        if (yes(Verb::cancel) && resident_) say("was cancelled and is resident");
    }
    void judge_guest(bool present, bool may_be_forgotten) {
        const bool guest = rows_.guests.contains(key_);
        if (present && !guest) say("is there without the row of its transact");
        if (guest && !present && !may_be_forgotten) say("is gone, and the row of its transact not");
    }
    void unasked() {
        verdict_.unexpected += 1;
        say("has the outcome " + outcome_ + " that nobody asked for");
    }
    void say(const std::string& what) { verdict_.violations.push_back("key " + key_ + " " + what); }

    const std::string& key_;
    const KeyFacts& facts_;
    const Rows& rows_;
    Oracle::Verdict& verdict_;
    bool resident_ = false;
    std::string outcome_;
};

}  // namespace

Oracle::Verdict Oracle::judge(const std::filesystem::path& path) const {
    Verdict verdict;
    const Rows rows(path);
    for (const auto& [key, facts] : keys_) {
        verdict.keys += 1;
        Judging(key, facts, rows, verdict).run();
    }
    for (const auto& key : rows.resident) {
        if (keys_.contains(key)) continue;
        verdict.unexpected += 1;
        verdict.violations.push_back("key " + key + " is resident and nobody knows it");
    }
    return verdict;
}

// --- invariants ----------------------------------------------------------------------------------

std::vector<std::string> broken_invariants(const std::filesystem::path& path,
                                           std::optional<std::int64_t> items_max) {
    std::vector<std::string> broken;
    Options options;
    options.path = path;
    options.durability = Durability::process_crash;
    options.log = [](LogLevel, std::string_view) {};
    try {
        Queue queue(options);
        for (const auto& finding : Admin(queue).check().findings) {
            if (!finding.warning) broken.push_back(finding.what + ": " + finding.detail);
        }
        const auto limits = queue.options();
        queue.close();
        test::RawDatabase raw(path.string());
        const auto rows = raw.rows("SELECT count(*), coalesce(sum(length(payload)), 0) FROM items");
        if (std::stoll(rows[0][0]) > items_max.value_or(*limits.items_max)) {
            broken.push_back("items_max is passed: " + rows[0][0]);
        }
        if (std::stoll(rows[0][1]) > limits.bytes_max) {
            broken.push_back("bytes_max is passed: " + rows[0][1]);
        }
        for (const auto& row :
             raw.rows("SELECT id, attempts FROM batches WHERE attempts > coalesce(attempts_max, "
                      "(SELECT value FROM settings WHERE name = 'attempts_max')) + 0")) {
            broken.push_back("batch " + row[0] + " has " + row[1] + " attempts");
        }
    } catch (const Error& error) {
        broken.push_back(std::string("reopening: ") + error.what());
    }
    return broken;
}

}  // namespace headpond::reliability
