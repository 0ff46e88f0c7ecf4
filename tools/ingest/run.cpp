#include "run.h"

#include "../headpond/utf8.h"
#include "alerts_output.h"
#include "feeds.h"
#include "pipeline.h"
#include "report.h"
#include "sample.h"
#include "signals.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include <spdlog/spdlog.h>
#include <unistd.h>

namespace headpond::ingest {

namespace {

constexpr int failure = 3;

// On a terminal only, one line that is written over.
void show_progress(Pipeline& pipeline) {
    if (isatty(STDERR_FILENO) == 0) return;
    pipeline.on_progress = [](std::size_t alerts, std::size_t pending) {
        std::fprintf(stderr, "\r%zu alerts, %zu pending  \r", alerts, pending);
    };
}

void say_what_was_there(const Pipeline& pipeline) {
    const RunCounts& counts = pipeline.counts();
    if (counts.resumed + counts.lost == 0) return;
    spdlog::info("Resumed {} pending alerts of an earlier run; {} more had lost their outcome",
                 counts.resumed, counts.lost);
}

void warn_of_few_outcomes(const Options& options) {
    if (*options.outcomes_max >= *options.batch_items_max) return;
    spdlog::warn(
        "outcomes_max is {}, less than the {} of batch_items_max: results of a fuller "
        "batch are dropped unread; allowed: outcomes_max of batch_items_max or more",
        *options.outcomes_max, *options.batch_items_max);
}

void say_left_out(const LeftOut& left, const std::string& feed, const Options& options) {
    if (!left.disk) {
        spdlog::error(
            "The queue is full, and nothing in it may be processed: {} alerts of {} are "
            "not taken; allowed: an open gate, or items_max over {}, or bytes_max over "
            "{}; the next run takes them",
            left.alerts, cli::one_line(feed), *options.items_max, *options.bytes_max);
        return;
    }
    std::error_code error;
    const auto bytes = std::filesystem::file_size(options.path, error);
    const auto space = std::filesystem::space(options.path, error);
    spdlog::error(
        "No room on disk, and nothing is left to process: {} alerts of {} are not taken; "
        "the database has {} bytes (file_bytes_max {}), the disk {} free (disk_free_min "
        "{}); allowed: a higher file_bytes_max, or more free disk; the next run takes "
        "them",
        left.alerts, cli::one_line(feed), bytes, *options.file_bytes_max, space.available,
        *options.disk_free_min);
}

bool is_new(const std::string& database) {
    std::error_code error;
    return !std::filesystem::exists(database, error) ||
           std::filesystem::file_size(database, error) == 0;
}

// One run on one file. A new file is made when the first feed has been read.
class Run {
  public:
    explicit Run(const IngestSettings& settings) : settings_(settings) {}

    int go() {
        if (settings_.feeds.empty()) {
            spdlog::info("No feed was named: the bundled sample is read");
            take(parse_feed(bundled_sample(), {.file_name = "sample"}), "the sample");
        } else {
            if (!is_new(settings_.database)) open();
            take_feeds();
        }
        const std::stop_token stop = signals_.token();
        if (code_ != 0 && !queue_ && !stop.stop_requested()) return code_;
        open();
        const bool drained = pipeline_->drain(stop);
        if (pipeline_->counts().known > 0) {
            spdlog::info("{} alerts were known already", pipeline_->counts().known);
        }
        if (stop.stop_requested()) spdlog::info("Stopped by a signal");
        if (!drained) spdlog::warn("Alerts are left pending: run again to go on");
        // A drained run has cleaned up, which logs the health.
        if (stop.stop_requested()) queue_->log_health();
        report();
        return code_;
    }

  private:
    void open() {
        if (queue_) return;
        queue_.emplace(settings_.queue);
        warn_of_few_outcomes(queue_->options());
        unclaimed_ = unclaimed_outcomes(*queue_);
        resolver_ = make_resolver(settings_, queue_->options());
        pipeline_.emplace(*queue_, *resolver_, settings_.hide_coordinates);
        show_progress(*pipeline_);
        pipeline_->open();
        say_what_was_there(*pipeline_);
    }

    // A feed that cannot be used does not keep the others from it.
    void take_feeds() {
        for (const std::string& name : settings_.feeds) {
            try {
                const auto feed = read_feed(name, signals_.token());
                if (!feed || !take(*feed, name)) return;
            } catch (const FeedError& error) {
                spdlog::error("{}", error.what());
                code_ = failure;
            }
        }
    }

    // False: there is no room for more, or a signal came.
    bool take(const Feed& feed, const std::string& name) {
        open();
        const LeftOut left = pipeline_->take(feed, signals_.token());
        if (left.alerts > 0) {
            say_left_out(left, name, queue_->options());
            code_ = failure;
        }
        return left.alerts == 0 && !signals_.token().stop_requested();
    }

    void report() {
        Summary summary = summarise(*queue_, *pipeline_, settings_.hide_coordinates);
        summary.unclaimed = unclaimed_outcomes(*queue_) - unclaimed_;
        if (summary.unclaimed > 0) {
            spdlog::warn("{} outcomes were dropped unread: outcomes_max is {}", summary.unclaimed,
                         *queue_->options().outcomes_max);
        }
        if (!settings_.output.empty()) write_alerts(*queue_, settings_.output, std::cout);
        summary.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
        if (settings_.json) {
            print_json(std::cout, summary);
        } else {
            print_table(std::cout, summary);
        }
    }

    const IngestSettings& settings_;
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    SignalStop signals_;
    std::optional<Queue> queue_;
    std::unique_ptr<Resolver> resolver_;
    std::optional<Pipeline> pipeline_;
    std::int64_t unclaimed_ = 0;  // outcomes dropped unread before this run
    int code_ = 0;
};

}  // namespace

int run(const IngestSettings& settings) {
    require_feeds(settings);
    require_output(settings);
    require_standard_output();
    return Run(settings).go();
}

}  // namespace headpond::ingest
