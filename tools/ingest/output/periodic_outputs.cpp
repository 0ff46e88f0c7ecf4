#include "output/periodic_outputs.h"

#include "../headpond/utf8.h"
#include "output/alerts_output.h"

#include <headpond/error.h>

#include <algorithm>
#include <stdexcept>

#include <spdlog/spdlog.h>

namespace headpond::ingest {

namespace {

constexpr int share = 10;  // one part of so many of the time is spent on writing

}  // namespace

bool PeriodicOutputs::are_old(const Counts& counts, Ms now) const {
    if (!written_) return counts != Counts{} || now >= *first_ + interval_;
    return counts != *written_ || (settings_.since && !settings_.since->at);
}

void PeriodicOutputs::look(Queue& queue, const Counts& counts, const std::function<Ms()>& now,
                           const std::stop_token& stop) {
    const Ms begun = now();
    if (!first_) first_ = begun;
    if (begun < next_ || !are_old(counts, begun)) return;
    try {
        if (!write_output_files(queue, settings_, stop)) return;
        written_ = counts;
        if (!failure_.empty()) spdlog::info("The output is written again");
        failure_.clear();
    } catch (const Error&) {
        throw;  // of the database, not of the files
    } catch (const std::runtime_error& error) {
        if (failure_ != error.what()) spdlog::error("{}", cli::one_line(error.what()));
        failure_ = error.what();
    }
    const Ms ended = now();
    next_ = ended + std::max(interval_, (ended - begun) * (share - 1));
}

}  // namespace headpond::ingest
