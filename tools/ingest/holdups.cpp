#include "holdups.h"

#include "../headpond/utf8.h"
#include "iso_time.h"

#include <headpond/admin.h>

#include <map>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

namespace headpond::ingest {

namespace {

constexpr std::size_t page = 500;

std::string until_text(const std::optional<WallTime>& until) {
    return until ? "until " + iso_time(*until) : "until it is reopened";
}

std::vector<ListedBatch> leased_batches(const Admin& admin) {
    std::vector<ListedBatch> leased;
    std::int64_t after = 0;
    for (bool more = true; more;) {
        const BatchPage read = admin.batches(page, after);
        for (const ListedBatch& batch : read.batches) {
            after = batch.id;
            if (batch.state == "leased") leased.push_back(batch);
        }
        more = read.more;
    }
    return leased;
}

// How many of the pending alerts each batch holds. Items of no batch come last.
std::map<std::int64_t, std::int64_t> pending_by_batch(
    const Admin& admin, const std::unordered_set<std::string>& pending) {
    std::map<std::int64_t, std::int64_t> counts;
    std::int64_t after = 0;
    for (;;) {
        const auto items = admin.peek(page, after);
        for (const PeekedItem& item : items) {
            if (!item.batch) return counts;
            if (pending.contains(item.key)) counts[*item.batch] += 1;
            after = item.id;
        }
        if (items.size() < page) return counts;
    }
}

}  // namespace

bool Holdups::look(const std::unordered_set<std::string>& pending, Of of) {
    const Gate gate = Admin(queue_).gate();
    const bool closed = gate.state == "closed";
    const std::string until = until_text(gate.until);
    if (!closed) told_gate_.clear();
    const std::string closure = gate.changed_by + ' ' + until;
    if (closed && std::exchange(told_gate_, closure) != closure) {
        spdlog::warn("{} pending alerts wait: the gate is closed {} by {}: {}", pending.size(),
                     until, cli::one_line(gate.changed_by),
                     gate.reason.empty() ? "no reason given" : cli::one_line(gate.reason));
    }
    // Half-open: all wait for the batch on trial.
    if (of != Of::no_batch) {
        tell_leases(pending, of == Of::any_batch || gate.state == "half_open");
    }
    return closed && !gate.until;
}

void Holdups::tell_leases(const std::unordered_set<std::string>& pending, bool any) {
    const Admin admin(queue_);
    std::vector<ListedBatch> fresh;
    for (ListedBatch& batch : leased_batches(admin)) {
        if (!told_.contains(batch.id)) fresh.push_back(std::move(batch));
    }
    if (fresh.empty()) return;
    const auto counts = pending_by_batch(admin, pending);
    for (const ListedBatch& batch : fresh) {
        if (!any && !counts.contains(batch.id)) continue;
        told_.insert(batch.id);
        spdlog::warn("Waiting for batch {}: {} holds its {} items {}", batch.id,
                     cli::one_line(batch.owner), batch.items, until_text(batch.lease_expires_at));
    }
}

}  // namespace headpond::ingest
