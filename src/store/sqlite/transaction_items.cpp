// Items, and what became of them.
#include "store/sqlite/transaction.h"

#include <utility>

namespace headpond::store::sqlite {

namespace {

ItemRow item_facts(Run& run) {
    ItemRow row;
    row.id = run.integer(0);
    row.key = run.text(1);
    row.bytes = run.integer(2);
    row.enqueued_at = run.integer(3);
    row.tracked = run.integer(4) != 0;
    row.published_at = run.maybe(5);
    row.stale_at = run.maybe(6);
    return row;
}

OutcomeRow outcome_row(Run& run) {
    OutcomeRow row;
    row.item_id = run.integer(0);
    row.key = run.text(1);
    row.resolved = run.text(2) == "resolved";
    row.reason = run.text(3);
    row.result = run.text(4);
    row.published_at = run.maybe(5);
    row.queued_at = run.integer(6);
    row.settled_at = run.integer(7);
    return row;
}

// A statement for several rows.
struct Many {
    Sql sql;
    std::size_t rows;
};

void bind_row(Run& run, int& at, std::int64_t id, const NewRow& row) {
    run.bind_next(at, id, row.key, row.source_tag, Blob{row.payload}, row.enqueued_at, row.tracked,
                  row.published_at, row.stale_at);
}

}  // namespace

std::optional<std::int64_t> SqliteTransaction::known(std::string_view key) {
    return keys_->find(key, totals().item_ids.last);
}

std::optional<std::int64_t> SqliteTransaction::insert(const NewRow& row) {
    if (mapped() && known(row.key)) return std::nullopt;
    const std::int64_t id = totals().item_ids.last + 1;
    bool stored = false;
    {
        Run run(sql_[Sql::insert_item]);
        int at = 0;
        bind_row(run, at, id, row);
        stored = run.change() > 0;
    }
    issued(&Totals::item_ids, "items", id);
    if (!stored) return std::nullopt;
    if (mapped()) keys_->inserted(row.key, id);
    return id;
}

// Half of a small row's cost is that of a statement. Keys in a map are told one by one.
std::vector<std::optional<std::int64_t>> SqliteTransaction::insert_all(
    std::span<const NewRow> rows) {
    std::vector<std::optional<std::int64_t>> ids;
    ids.reserve(rows.size());
    for (const auto& [sql, count] :
         {Many{Sql::insert_16_items, 16}, Many{Sql::insert_4_items, 4}}) {
        for (; rows.size() >= count && !mapped(); rows = rows.subspan(count)) {
            insert_many(sql, rows.first(count), ids);
        }
    }
    for (const NewRow& row : rows) ids.push_back(insert(row));
    return ids;
}

void SqliteTransaction::insert_many(Sql sql, std::span<const NewRow> rows,
                                    std::vector<std::optional<std::int64_t>>& ids) {
    const auto count = static_cast<std::int64_t>(rows.size());
    const std::int64_t first = totals().item_ids.last + 1;
    const std::int64_t last = first + count - 1;
    std::int64_t stored = 0;
    {
        Run run(sql_[sql]);
        int at = 0;
        std::int64_t id = first;
        for (const NewRow& row : rows) bind_row(run, at, id++, row);
        stored = run.change();
    }
    issued(&Totals::item_ids, "items", last);
    if (stored == count) {
        for (std::int64_t id = first; id <= last; ++id) ids.emplace_back(id);
        return;
    }
    const std::size_t before = ids.size();
    ids.resize(before + rows.size());
    Run run(sql_[Sql::ids_of_items]);
    run.bind(first, last);
    while (run.step()) {
        const std::int64_t id = run.exact(0);
        ids[before + static_cast<std::size_t>(id - first)] = id;
    }
}

std::optional<ItemRow> SqliteTransaction::find(std::string_view key) {
    if (mapped()) {
        const auto id = known(key);
        if (!id) return std::nullopt;
        return std::move(survey(*id, *id, 1).front());
    }
    Run run(sql_[Sql::find_item]);
    run.bind(key);
    if (!run.step()) return std::nullopt;
    return item_facts(run);
}

std::vector<ItemRow> SqliteTransaction::survey(std::int64_t first, std::int64_t last,
                                               std::int64_t limit) {
    std::vector<ItemRow> rows;
    Run run(sql_[Sql::survey_items]);
    run.bind(first, last, limit);
    while (run.step()) rows.push_back(item_facts(run));
    return rows;
}

std::vector<ItemRow> SqliteTransaction::load(std::int64_t first, std::int64_t last,
                                             std::int64_t limit, std::int64_t bytes_max) {
    std::vector<ItemRow> rows;
    std::int64_t bytes = 0;
    Run run(sql_[Sql::load_items]);
    run.bind(first, last, limit);
    while (run.step()) {
        const std::int64_t more = run.integer(2);
        if (!rows.empty() && more > bytes_max - bytes) break;
        bytes += more;
        rows.push_back(item_facts(run));
        rows.back().source_tag = run.text(7);
        rows.back().payload = run.text(8);
    }
    return rows;
}

bool SqliteTransaction::more_items_than(std::int64_t count) {
    Run run(sql_[Sql::item_after_many]);
    run.bind(count);
    return run.step();
}

RangeSum SqliteTransaction::sum(std::int64_t first, std::int64_t last, Millis base) {
    return sums(Sql::sum_items, first, last, base);
}

RangeSum SqliteTransaction::sum_of_batch(std::int64_t first, std::int64_t last, Millis base) {
    return sums(Sql::total_items, first, last, base);
}

RangeSum SqliteTransaction::sums(Sql sql, std::int64_t first, std::int64_t last, Millis base) {
    Run run(sql_[sql]);
    run.bind(base, first, last);
    run.step();
    return {.items = run.integer(0),
            .bytes = run.integer(1),
            .enqueued_at_sum = run.integer(2),
            .tracked = run.integer(3)};
}

std::vector<ItemRow> SqliteTransaction::stale(Millis now, std::int64_t limit) {
    std::vector<ItemRow> rows;
    Run run(sql_[Sql::stale_items]);
    run.bind(now, limit);
    while (run.step()) rows.push_back(item_facts(run));
    return rows;
}

std::int64_t SqliteTransaction::remove_items(std::int64_t first, std::int64_t last) {
    return change(Sql::remove_items, first, last);
}

// --- outcomes -----------------------------------------------------------------------------------

void SqliteTransaction::add_outcomes(std::span<const NewOutcome> rows) {
    if (rows.empty()) return;
    for (const auto& [sql, count] : {Many{Sql::add_16_outcomes, 16}, Many{Sql::add_outcome, 1}}) {
        for (; rows.size() >= count; rows = rows.subspan(count)) {
            Run run(sql_[sql]);
            int at = 0;
            for (const NewOutcome& row : rows.first(count)) {
                std::optional<std::string_view> reason;
                std::optional<Blob> result;
                if (row.resolved) {
                    result = Blob{row.result};
                } else {
                    reason = row.reason;
                }
                run.bind_next(at, row.item_id, row.key, row.resolved ? "resolved" : "fallback",
                              reason, result, row.published_at, row.queued_at, row.settled_at);
            }
            run.step();
        }
    }
}

std::vector<OutcomeRow> SqliteTransaction::outcomes(std::int64_t after, std::int64_t limit) {
    std::vector<OutcomeRow> rows;
    Run run(sql_[Sql::outcomes]);
    run.bind(after, limit);
    while (run.step()) rows.push_back(outcome_row(run));
    return rows;
}

std::vector<OutcomeRow> SqliteTransaction::outcomes_of(std::string_view key) {
    std::vector<OutcomeRow> rows;
    Run run(sql_[Sql::outcomes_of_key]);
    run.bind(key);
    while (run.step()) rows.push_back(outcome_row(run));
    return rows;
}

std::int64_t SqliteTransaction::remove_outcomes(std::int64_t first_item_id,
                                                std::int64_t last_item_id) {
    return change(Sql::remove_outcomes, first_item_id, last_item_id);
}

std::int64_t SqliteTransaction::count_outcomes() {
    return first_millis(Sql::count_outcomes).value_or(0);
}

}  // namespace headpond::store::sqlite
