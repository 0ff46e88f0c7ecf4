#include "core.h"
#include "engine/rules.h"
#include "option_table.h"
#include "platform/files.h"
#include "store/sqlite/open.h"

#include <headpond/admin.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>

namespace headpond {

using detail::Core;

namespace {

store::Millis wall_of(const Core& core) {
    return core.clock().wall().time_since_epoch().count();
}

Table to_table(store::TextTable&& table) {
    return {.columns = std::move(table.columns), .rows = std::move(table.rows)};
}

store::DeadQuery to_query(const DeadFilter& filter) {
    return {.key = filter.key,
            .reason = filter.reason,
            .limit = static_cast<std::int64_t>(std::min<std::size_t>(filter.limit, 1'000'000'000))};
}

// Payloads come along, so that one transaction holds few.
constexpr std::int64_t dead_chunk = 100;

}  // namespace

Admin::Admin(Queue& queue) : core_(Core::of(queue)) {}

std::vector<PeekedItem> Admin::peek(std::size_t limit, std::int64_t after) const {
    std::vector<PeekedItem> peeked;
    if (after == store::no_limit) return peeked;  // no id is above
    core_->read("peek", [&](store::Transaction& tx) {
        const std::int64_t watermark = tx.watermark();
        const auto most = static_cast<std::int64_t>(std::min<std::size_t>(limit, 1'000'000'000));
        for (auto& row : tx.load(after + 1, store::no_limit, most, store::no_limit)) {
            PeekedItem item;
            item.id = row.id;
            item.key = std::move(row.key);
            item.source_tag = std::move(row.source_tag);
            item.payload_bytes = row.bytes;
            item.enqueued_at = engine::to_wall(row.enqueued_at);
            item.state = row.id > watermark ? "ready" : "orphan";
            if (row.id <= watermark) {
                if (const auto batch = tx.batch_of(row.id)) {
                    item.state = batch->leased ? "leased" : "waiting";
                    item.batch = batch->id;
                }
            }
            peeked.push_back(std::move(item));
        }
    });
    return peeked;
}

namespace {

std::string resident_summary(store::Transaction& tx, const store::ItemRow& item,
                             store::Millis now) {
    const auto seconds = [](store::Millis ms) { return std::to_string(ms / 1000) + " s"; };
    const std::string age = "entered " + seconds(now - item.enqueued_at) + " ago";
    const auto batch = tx.batch_of(item.id);
    if (!batch) return "ready: in no batch yet, " + age;
    const std::string name = "in batch " + std::to_string(batch->id) + ", attempt " +
                             std::to_string(batch->attempts) + ", " + age;
    if (batch->leased) {
        const store::Millis left = batch->lease_expires_at.value_or(now) - now;
        return "leased: " + name +
               (left > 0 ? ", the lease ends in " + seconds(left) : ", the lease is overdue");
    }
    const store::Millis wait = batch->not_before.value_or(now) - now;
    std::string text =
        "waiting: " + name + (wait > 0 ? ", due in " + seconds(wait) : std::string(", due now"));
    if (!batch->last_error.empty()) text += ", last error: " + batch->last_error;
    return text;
}

std::string ended_summary(store::Transaction& tx, std::string_view key) {
    const auto dead = tx.dead({.key = key, .limit = 1});
    if (!dead.empty()) {
        const auto& row = dead.front();
        return "dead letter: " + row.reason + " after " + std::to_string(row.attempts) +
               " attempts" + (row.last_error.empty() ? "" : ", last error: " + row.last_error);
    }
    const auto outcomes = tx.outcomes_of(key);
    if (outcomes.empty()) return {};
    const auto& last = outcomes.back();
    return last.resolved ? "ended: resolved, the outcome is unread"
                         : "ended: fallback (" + last.reason + "), the outcome is unread";
}

// Keys that are free or mapped have no index, and free ones may repeat: the rows are walked, a
// chunk a statement, until `seen` answers false to one of this key.
void walk_key(store::Transaction& tx, std::string_view key,
              const std::function<bool(store::ItemRow&)>& seen) {
    constexpr std::int64_t chunk = 1000;
    std::int64_t first = 0;
    for (;;) {
        auto rows = tx.survey(first, store::no_limit, chunk);
        for (auto& row : rows) {
            if (row.key == key && !seen(row)) return;
        }
        if (std::ssize(rows) < chunk) return;
        first = rows.back().id + 1;
    }
}

// Empty: not resident. Of several the newest is told of, and how many older ones there are.
std::string resident_summary(store::Transaction& tx, std::string_view key, store::Millis now) {
    std::optional<store::ItemRow> newest;
    std::int64_t count = 0;
    if (tx.keys_indexed()) {
        newest = tx.find(key);
    } else {
        walk_key(tx, key, [&](store::ItemRow& row) {
            newest = row;
            ++count;
            return true;
        });
    }
    if (!newest) return {};
    std::string text = resident_summary(tx, *newest, now);
    if (count > 1) text += "; older items of this key: " + std::to_string(count - 1);
    return text;
}

}  // namespace

Why Admin::why(std::string_view key) const {
    Why why;
    why.key = key;
    core_->read("why", [&](store::Transaction& tx) {
        const auto now = engine::read_clock(core_->clock(), tx.clock(), tx).now;
        why.summary = resident_summary(tx, key, now);
        if (why.summary.empty()) why.summary = ended_summary(tx, key);
    });
    why.trail = to_table(core_->store().trail(key, wall_of(*core_)));
    why.known = !why.summary.empty();
    if (!why.known) {
        why.summary =
            "unknown: not resident, no dead letter, no unread outcome; it never entered, "
            "or it ended and its outcome was forgotten";
    }
    return why;
}

bool Admin::pending(std::string_view key) const {
    bool tracked = false;
    core_->read("pending", [&](store::Transaction& tx) {
        if (!tx.keys_indexed()) {
            walk_key(tx, key, [&](const store::ItemRow& row) {
                tracked = row.tracked;
                return !tracked;
            });
        } else if (const auto item = tx.find(key)) {
            tracked = item->tracked;
        }
    });
    return tracked;
}

std::optional<Outcome> Admin::outcome(std::string_view key) const {
    std::optional<Outcome> outcome;
    core_->read("outcome", [&](store::Transaction& tx) {
        auto rows = tx.outcomes_of(key);
        if (!rows.empty()) outcome = engine::to_outcome(std::move(rows.back()));
    });
    return outcome;
}

Table Admin::view(std::string_view name) const {
    core_->require_usable("view");
    return to_table(core_->store().view(name, wall_of(*core_)));
}

// --- dead letters --------------------------------------------------------------------------------

std::vector<DeadLetter> Admin::dead(const DeadFilter& filter, std::int64_t after) const {
    std::vector<DeadLetter> letters;
    core_->read("dead", [&](store::Transaction& tx) {
        auto query = to_query(filter);
        if (after != 0) {
            const auto died_at = tx.died_at(after);
            if (!died_at) {
                throw Error(ErrorCode::misuse, "dead", core_->path,
                            "no dead letter has the item id " + std::to_string(after) +
                                "; allowed: one that is listed");
            }
            query.after = {.died_at = *died_at, .item_id = after};
        }
        for (auto& row : tx.dead(query)) {
            DeadLetter letter;
            letter.item_id = row.item.id;
            letter.key = std::move(row.item.key);
            letter.source_tag = std::move(row.item.source_tag);
            letter.payload = std::move(row.item.payload);
            letter.reason = std::move(row.reason);
            letter.batch = row.batch_id;
            letter.attempts = static_cast<int>(row.attempts);
            letter.last_error = std::move(row.last_error);
            letter.died_at = engine::to_wall(row.died_at);
            letters.push_back(std::move(letter));
        }
    });
    return letters;
}

std::int64_t Admin::count_dead(const DeadFilter& filter) const {
    std::int64_t count = 0;
    core_->read("dead", [&](store::Transaction& tx) { count = tx.count_dead(to_query(filter)); });
    return std::min(count, to_query(filter).limit);
}

Redriven Admin::redrive(const DeadFilter& filter) {
    Redriven total;
    std::int64_t too_large = 0;
    auto query = to_query(filter);
    for (std::int64_t left = query.limit; left > 0;) {
        query.limit = std::min(left, dead_chunk);
        const auto part = core_->operate({.operation = "redrive"}, [&](engine::Context& context) {
            return engine::redrive(context, query);
        });
        total.redriven += part.redriven;
        total.duplicates += part.duplicates;
        too_large += part.too_large;
        const auto seen = part.redriven + part.duplicates + part.too_large;
        left -= seen;
        total.remaining = too_large;
        if (part.full) {
            total.remaining = std::min(count_dead(filter) - total.duplicates, left + too_large);
            break;
        }
        if (seen < query.limit) break;  // no others match
        query.after = part.last;        // what was skipped stays where it is
    }
    return total;
}

std::int64_t Admin::purge(const DeadFilter& filter) {
    std::int64_t total = 0;
    std::int64_t left = to_query(filter).limit;
    while (left > 0) {
        auto query = to_query(filter);
        query.limit = std::min(left, dead_chunk);
        const auto gone = core_->operate({.operation = "purge"}, [&](engine::Context& context) {
            return engine::purge(context, query);
        });
        if (gone == 0) break;
        total += gone;
        left -= gone;
    }
    return total;
}

// --- settings and the gate -----------------------------------------------------------------------

std::vector<Setting> Admin::settings() const {
    std::vector<Setting> all;
    core_->read("settings", [&](store::Transaction& tx) {
        for (auto& row : tx.settings()) {
            Setting setting;
            const auto table = option_table();
            const auto it = std::find_if(table.begin(), table.end(),
                                         [&](const auto& one) { return one.name == row.name; });
            setting.allowed = it == table.end() ? row.allowed : it->allowed();
            setting.name = std::move(row.name);
            setting.value = std::move(row.value);
            setting.unit = std::move(row.unit);
            setting.changed_at = engine::to_wall(row.changed_at);
            setting.changed_by = std::move(row.changed_by);
            all.push_back(std::move(setting));
        }
    });
    return all;
}

void Admin::set(std::string_view name, std::string_view value, std::string_view by) {
    const OptionRow& row = option_row(name, "settings");
    if (!row.in_file()) {
        throw Error(ErrorCode::misuse, "settings", core_->path,
                    std::string(name) +
                        " belongs to the process, not to the file; allowed: the "
                        "variable or flag of that name");
    }
    const std::int64_t raw = row.parse(value, name);
    core_->operate({.operation = "settings", .alone = true}, [&](engine::Context& context) {
        const auto rows = context.tx.settings();
        const auto it = std::find_if(rows.begin(), rows.end(),
                                     [&](const auto& one) { return one.name == row.name; });
        const std::int64_t before = it == rows.end() ? 0 : it->changed_at;
        const auto changed = row.setting_row(raw, std::max(context.now, before + 1), by);
        // As it was is no change: nothing is logged, and who made the last one stays.
        if (it != rows.end() && it->value == changed.value) return true;
        context.tx.set_setting(changed);
        if (row.name == "keys") {
            const auto keys = static_cast<Keys>(raw);
            // The index is what finds keys that repeat: mapped ones need it for that alone.
            context.tx.index_keys(keys != Keys::free);
            context.tx.index_keys(keys == Keys::unique);
        }
        context.dirty = true;
        context.effects.settings = true;
        context.effects.wake = true;
        context.log(LogLevel::info, "Setting " + std::string(row.name) + ": " +
                                        (it == rows.end() ? "" : it->value) + " -> " +
                                        row.format(raw));
        return true;
    });
}

Gate Admin::gate() const {
    Gate gate;
    core_->read("gate", [&](store::Transaction& tx) {
        const auto now = engine::read_clock(core_->clock(), tx.clock(), tx).now;
        const auto row = engine::gate_at(tx.gate(), now);
        gate.state = to_string(row.state);
        if (row.until) gate.until = engine::to_wall(*row.until);
        gate.reason = row.reason;
        gate.changed_by = row.changed_by;
    });
    return gate;
}

void Admin::pause(std::optional<Ms> duration, std::string_view reason, std::string_view by) {
    if (duration && *duration < Ms{1}) {
        throw Error(
            ErrorCode::misuse, "pause", core_->path,
            "the duration is " + std::to_string(duration->count()) + " ms; allowed: 1 ms or more");
    }
    core_->operate({.operation = "pause"}, [&](engine::Context& context) {
        std::optional<store::Millis> length;
        if (duration) length = duration->count();
        engine::close_gate(context, length, reason, by);
        return true;
    });
}

void Admin::resume(std::string_view by) {
    core_->operate({.operation = "resume"}, [&](engine::Context& context) {
        engine::open_gate(context, by);
        return true;
    });
}

// --- check, repair, backup -----------------------------------------------------------------------

CheckReport Admin::check() const {
    core_->require_usable("check");
    CheckReport report;
    const auto engine = core_->store().engine();
    report.sqlite_version = engine.version;
    report.wal_reset_bug = engine.wal_reset_bug;
    for (auto& finding : core_->store().check()) {
        report.findings.push_back(
            {std::move(finding.what), std::move(finding.detail), finding.warning});
    }
    return report;
}

CheckReport Admin::repair() {
    const auto edited = core_->operate({.operation = "repair"}, [&](engine::Context& context) {
        return engine::recount(context);
    });
    CheckReport report = check();
    report.edited = edited;
    return report;
}

void Admin::backup(const std::filesystem::path& target) const {
    core_->require_usable("backup");
    const std::string path = platform::resolve_database(target);
    if (!platform::create_private(path)) {
        throw Error(ErrorCode::io, "backup", path, "the file exists; allowed: a new path");
    }
    core_->store().backup(path);
}

// --- migrations ----------------------------------------------------------------------------------

namespace {

std::vector<Migration> states_of(const std::filesystem::path& given) {
    const std::string path = platform::resolve_database(given);
    const auto facts = platform::look_at(path);
    std::error_code error;
    const auto log_bytes = std::filesystem::file_size(path + "-wal", error);
    const auto identity = store::sqlite::identify(path, facts.bytes,
                                                  error ? 0 : static_cast<std::int64_t>(log_bytes));
    std::vector<Migration> all;
    for (auto& state : store::sqlite::migration_states(path, identity.kind)) {
        all.push_back({state.version, std::move(state.name), state.applied});
    }
    return all;
}

}  // namespace

std::vector<Migration> migrations(const std::filesystem::path& path) {
    return states_of(path);
}

std::vector<Migration> migrate(Options options) {
    const auto before = states_of(options.path);
    options.migrate = Migrate::at_open;
    const Queue queue(std::move(options));
    std::vector<Migration> applied;
    for (const Migration& migration : before) {
        if (!migration.applied) applied.push_back({migration.version, migration.name, true});
    }
    return applied;
}

std::vector<Migration> migrate(const std::filesystem::path& path) {
    Options options;
    options.path = path;
    return migrate(std::move(options));
}

}  // namespace headpond
