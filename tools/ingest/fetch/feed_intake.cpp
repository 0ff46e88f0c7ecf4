#include "fetch/feed_intake.h"

#include "../headpond/utf8.h"
#include "feed/fold.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <spdlog/spdlog.h>

namespace headpond::ingest {

namespace {

using Result = FeedSchedule::Result;

constexpr int gone = 410;
constexpr std::size_t error_bytes_max = 300;
// No row, whoever wrote it, keeps a feed from being asked for longer.
constexpr Ms pause_max{24 * 3600'000};

std::size_t hash_of(const std::vector<std::string>& lines) {
    std::size_t hash = 0;
    for (const std::string& line : lines) hash = hash * 31 + std::hash<std::string>{}(line) + 1;
    return hash;
}

}  // namespace

FeedIntake::FeedIntake(const std::vector<FeedSource>& sources, const FetchSettings& settings,
                       std::shared_ptr<Clock> clock, std::shared_ptr<Random> random)
    : settings_(settings), clock_(std::move(clock)), random_(std::move(random)) {
    for (const FeedSource& source : sources) {
        Known known;
        known.source = source;
        known.row.url = source.name;
        feeds_.push_back(std::move(known));
    }
}

void FeedIntake::attach(Queue& queue) {
    const bool none = std::all_of(feeds_.begin(), feeds_.end(),
                                  [](const Known& known) { return known.source.host.empty(); });
    if (queue_ != nullptr || none) return;
    queue.transact([&](Transaction& transaction) {
        FeedsTable table(transaction);
        table.create();
        if (reader_) return;
        for (Known& known : feeds_) {
            if (auto row = table.find(known.row.url)) known.row = std::move(*row);
        }
    });
    queue_ = &queue;
    save();
}

void FeedIntake::start(const std::stop_token& stop) {
    std::vector<ReaderFeed> feeds;
    for (const Known& known : feeds_) feeds.push_back(resumed(known));
    reader_ = std::make_unique<FeedReader>(std::move(feeds), settings_, clock_, random_, stop);
}

// A feed that is well is not kept waiting by an interval that was longer in an earlier run.
ReaderFeed FeedIntake::resumed(const Known& known) const {
    const FeedRow& row = known.row;
    const Ms now = clock_->since_boot();
    const Ms interval = settings_.follow.value_or(Ms{0});
    const bool well = row.failures <= 0 && row.last_error.empty();
    const Ms longest = well ? interval : std::max(pause_max, interval);
    Ms wait{0};
    if (row.next_at) wait = std::clamp(*row.next_at - clock_->wall(), Ms{0}, longest);
    return {.source = known.source,
            .validators = row.validators,
            .next_at = now + wait,
            .failures = static_cast<int>(std::clamp<std::int64_t>(row.failures, 0, 1'000'000))};
}

std::optional<FeedIntake::Arrival> FeedIntake::next(Ms wait) {
    if (in_hand_) put_back(feeds_[*in_hand_]);
    auto answer = reader_->next(wait);
    if (!answer) return std::nullopt;
    Known& known = feeds_.at(answer->feed);
    in_hand_ = answer->feed;
    if (!answer->error.empty()) {
        fail(known, *answer, answer->error, answer->status == gone ? Result::gone : Result::failed);
        return std::nullopt;
    }
    if (answer->not_modified) {
        recover(known);
        finish(known, *answer, Result::good);
        save();
        return std::nullopt;
    }
    auto feed = parse(known, *answer);
    if (!feed) return std::nullopt;
    return Arrival{
        .answer = std::move(*answer), .feed = std::move(*feed), .shown = known.source.shown};
}

// The caller could not store it.
void FeedIntake::put_back(Known& known) {
    FeedAnswer again;
    again.at = clock_->wall();
    again.status = static_cast<int>(known.row.status.value_or(0));
    known.row.validators = {};
    known.row.last_error = "its alerts could not be stored";
    finish(known, again, Result::not_stored);
}

std::optional<Feed> FeedIntake::parse(Known& known, FeedAnswer& answer) {
    const bool address = !known.source.host.empty();
    const std::string body = std::exchange(answer.body, {});
    try {
        Feed feed = parse_feed(
            body, {.source_tag = {},
                   .file_name = known.source.shown,
                   .content_type = answer.content_type,
                   .body_bytes_max = address ? settings_.bytes_max : body_bytes_max_default});
        warn(known, feed);
        return feed;
    } catch (const FeedError& error) {
        std::string_view text = error.what();
        const std::string name = for_message(known.source.shown) + ": ";
        if (text.starts_with(name)) text.remove_prefix(name.size());
        fail(known, answer, fold(text, error_bytes_max), Result::failed);
        return std::nullopt;
    }
}

// A feed that is read again and again with the same faults is warned of once.
void FeedIntake::warn(Known& known, const Feed& feed) {
    const std::size_t hash = hash_of(feed.warnings);
    if (std::exchange(known.warned, hash) == hash) return;
    for (const std::string& warning : feed.warnings) spdlog::warn("{}", cli::one_line(warning));
}

void FeedIntake::storing(const Arrival& arrival) {
    Known& known = feeds_.at(arrival.answer.feed);
    if (known.row.validators == Validators{}) return;
    known.row.validators = {};
    if (known.source.host.empty() || queue_ == nullptr) return;
    queue_->transact([&](Transaction& transaction) {
        FeedsTable(transaction).forget_validators(known.row.url);
    });
}

bool FeedIntake::stored(const Arrival& arrival, const LeftOut& left, bool whole) {
    Known& known = feeds_.at(arrival.answer.feed);
    recover(known);
    // A body may have been cut off on its way: the whole one has the same validators.
    known.row.validators = whole && arrival.feed.whole ? arrival.answer.validators : Validators{};
    known.row.alerts = static_cast<std::int64_t>(arrival.feed.alerts.size());
    if (left.alerts > 0) {
        known.row.last_error = std::to_string(left.alerts) + " alerts were not taken: " +
                               (left.disk ? "no room on disk" : "the queue was full");
    }
    finish(known, arrival.answer, Result::good);
    save();
    const bool news = left.alerts > 0 && !known.told_left_out;
    if (known.told_left_out && left.alerts == 0 && whole) {
        spdlog::info("All alerts of {} are taken again", cli::one_line(known.source.shown));
    }
    if (left.alerts > 0 || whole) known.told_left_out = left.alerts > 0;
    return news;
}

void FeedIntake::recover(Known& known) {
    if (known.told || known.row.failures > 0) {
        spdlog::info("{} works again after {} failures", cli::one_line(known.source.shown),
                     known.row.failures);
    }
    known.told = false;
    known.row.last_error.clear();
}

void FeedIntake::fail(Known& known, const FeedAnswer& answer, const std::string& error,
                      Result result) {
    failed_ = true;
    known.row.last_error = error;
    if (!std::exchange(known.told, true)) {
        spdlog::error("{}: {}", cli::one_line(for_message(known.source.shown)),
                      cli::one_line(error));
    }
    finish(known, answer, result);
    postpone_host(known, answer);
    save();
}

void FeedIntake::finish(Known& known, const FeedAnswer& answer, Result result) {
    const auto feed = static_cast<std::size_t>(&known - feeds_.data());
    const auto plan = reader_->finish(feed, result, known.row.validators);
    in_hand_.reset();
    known.row.checked_at = answer.at;
    known.row.next_at = clock_->wall() + (plan.next_at - clock_->since_boot());
    known.row.status.reset();
    if (answer.status != 0) known.row.status = answer.status;
    known.row.failures = plan.failures;
    known.unsaved = true;
}

// What a host asks for holds for its other feeds too, also after a restart.
void FeedIntake::postpone_host(const Known& known, const FeedAnswer& answer) {
    if (!answer.retry_after) return;
    const WallTime until = answer.at + *answer.retry_after;
    for (Known& other : feeds_) {
        if (&other == &known || other.source.host != known.source.host) continue;
        if (other.row.next_at && *other.row.next_at >= until) continue;
        other.row.next_at = until;
        if (other.row.last_error.empty()) other.row.last_error = "its host asked for a pause";
        other.unsaved = true;
    }
}

void FeedIntake::save() {
    if (queue_ == nullptr) return;
    const auto unsaved = [](const Known& known) {
        return known.unsaved && !known.source.host.empty();
    };
    if (std::none_of(feeds_.begin(), feeds_.end(), unsaved)) return;
    queue_->transact([&](Transaction& transaction) {
        FeedsTable table(transaction);
        for (const Known& known : feeds_) {
            if (unsaved(known)) table.put(known.row);
        }
    });
    for (Known& known : feeds_) known.unsaved = false;
}

}  // namespace headpond::ingest
