// Opening and leaving: the file, its owner row, its settings.
#include "core.h"
#include "option_table.h"
#include "platform/files.h"
#include "platform/system.h"
#include "store/sqlite/open.h"

#include <headpond/error.h>

#include <algorithm>
#include <filesystem>

namespace headpond::detail {

namespace {

std::int64_t bytes_of(const std::string& path) {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    return error ? 0 : static_cast<std::int64_t>(bytes);
}

}  // namespace

Core::Core(Options given)
    : options(std::move(given)),
      clock_(options.clock ? options.clock : system_clock()),
      random_(options.random ? options.random : system_random()),
      label_(options.label.empty() ? platform::process_label() : options.label),
      fork_generation_(platform::fork_generation()) {}

std::shared_ptr<Core> Core::open(Options options) {
    check_options(options);
    auto core = std::make_shared<Core>(std::move(options));
    core->prepare_file();
    core->register_owner();
    for (const auto& line : core->opening_lines_) core->log(line.level, line.text);
    return core;
}

void Core::prepare_file() {
    using store::sqlite::FileKind;
    path = platform::resolve_database(options.path);
    platform::require_local(path);
    const auto facts = platform::look_at(path);
    const auto identity = store::sqlite::identify(path, facts.bytes, bytes_of(path + "-wal"));
    if (identity.kind != FileKind::queue && options.migrate == Migrate::require_newest) {
        throw Error(ErrorCode::io, "open", path,
                    identity.kind == FileKind::missing
                        ? "there is no such file; allowed: an existing queue"
                        : "the file is empty; allowed: an existing queue");
    }
    constexpr unsigned private_mode = 0600;
    side_ = std::make_unique<platform::SideFile>(
        path, facts.exists ? facts.mode & 0666U : private_mode,
        facts.exists ? facts.owner : geteuid(), facts.exists ? facts.group : getegid());
    store_ = store::sqlite::open({.path = path,
                                  .identity = identity,
                                  .migrate = options.migrate,
                                  .at = clock_->wall().time_since_epoch().count(),
                                  .create = [this] { platform::create_private(path); },
                                  .with_turn = [this](const auto& fn) { with_turn(fn); }});
    writes_ = std::make_unique<runtime::WriteQueue>(
        *store_, *side_, options.durability == Durability::power_loss,
        [this] { store_->relieve(log_bytes_max_.load()); });
    waiting_ = std::make_unique<runtime::Waiting>(side_->path());
    files_.emplace(path);
}

// Of several processes one creates, and the others find a queue.
void Core::with_turn(const std::function<void()>& fn) {
    if (!side_->take_turn(turn_deadline())) {
        throw Error(ErrorCode::busy, "open", path,
                    "another process holds the write turn; allowed: to wait (turn_timeout)");
    }
    struct End {
        platform::SideFile& side;
        ~End() { side.end_turn(); }
    };
    const End end{*side_};
    fn();
}

void Core::register_owner() {
    bool created = false;
    std::int64_t keys = 0;
    std::shared_ptr<const engine::Settings> settings;
    runtime::WriteQueue::Order order{.operation = "open", .alone = true};
    writes_->run(
        order,
        [&](store::Transaction& tx) {
            opening_lines_.clear();
            const auto row = tx.clock();
            const auto instant = engine::read_clock(*clock_, row, tx);
            auto totals = tx.totals();
            created = totals.age_base == 0;
            keys = write_settings(tx, instant.now, created);
            invalidate_settings();  // an attempt before this one may have been undone
            settings = settings_for(tx);
            if (created) {
                tx.set_age_base(instant.now, 0);
                tx.set_last_cleanup(instant.now);
            }
            cleanup_due_at_ = tx.totals().last_cleanup_at + settings->cleanup_interval;
            if (instant.anchor) tx.set_clock(*instant.anchor);
            const auto size = store_->size();
            tx.set_sample(size.db_bytes, size.log_bytes, instant.now);
            owner_id_ = tx.add_owner({.id = 0,
                                      .label = label_,
                                      .opened_at = instant.now,
                                      .lock_inode = static_cast<std::int64_t>(side_->inode())});
            // Before the row can be seen: who reads it must find the lock.
            side_->lock_owner(owner_id_);
            clock_offset_ = instant.anchor ? instant.anchor->offset : row.offset;
            return runtime::Sync::needed;
        },
        turn_deadline());
    keys_in_force_ = keys;
    writes_->with_turn(
        "open", [&] { store_->set_log_reserve(settings->wal_reserve(), settings->wal_bytes_max); },
        turn_deadline());
    reserve_placed_ = settings->wal_reserve();
}

// In a new file the defaults; else what Options sets, each change logged. Answers `keys` as the
// index now is.
std::int64_t Core::write_settings(store::Transaction& tx, store::Millis now, bool created) {
    const auto rows = tx.settings();
    bool keys_changed = false;
    for (const OptionRow& row : option_table()) {
        if (!row.in_file()) continue;
        const auto given = get_option(options, row);
        const auto it = std::find_if(rows.begin(), rows.end(),
                                     [&](const auto& one) { return one.name == row.name; });
        if (it == rows.end()) {
            tx.set_setting(row.setting_row(given.value_or(row.initial), now, label_));
        } else if (given && row.format(*given) != it->value) {
            keys_changed |= row.name == "keys";
            tx.set_setting(row.setting_row(*given, std::max(now, it->changed_at + 1), label_));
            opening_lines_.push_back({LogLevel::info, "Setting " + std::string(row.name) + ": " +
                                                          it->value + " -> " + row.format(*given)});
        }
    }
    // Asked for: an error where it cannot be.
    if (options.keys == Keys::unique || (options.keys == Keys::mapped && keys_changed)) {
        tx.index_keys(true);
    }
    const std::int64_t keys = index_keys(tx, now, opening_lines_);
    if (created) opening_lines_.push_back({LogLevel::info, "Created queue " + path});
    return keys;
}

Core::~Core() {
    if (inherited()) {
        // SQLite's connections must not be touched in a forked child, not even to close them; and
        // the end of a condition waits for its waiters, which are in the parent.
        (void)writes_.release();
        (void)store_.release();
        (void)waiting_.release();
        return;
    }
    if (owner_id_ != 0) leave();
}

void Core::leave() noexcept {
    try {
        nack_dropped();
        const auto soon = std::chrono::steady_clock::now() +
                          std::min<std::chrono::milliseconds>(options.turn_timeout, Ms{1000});
        writes_->run(
            {.operation = "close", .alone = true},
            [&](store::Transaction& tx) {
                if (tx.held_by(owner_id_, 1).empty()) tx.remove_owner(owner_id_);
                return runtime::Sync::spared;
            },
            soon);
    } catch (const std::exception& error) {
        // The kernel frees the lock: others find the owner dead and take back what it held.
        log(LogLevel::warning, "Closing: ", error.what());
    }
}

}  // namespace headpond::detail
