#include "run.h"

#include "../headpond/utf8.h"
#include "feeds.h"
#include "fetch/feed_intake.h"
#include "output/alerts_output.h"
#include "output/periodic_outputs.h"
#include "pipeline.h"
#include "report.h"
#include "sample.h"
#include "signals.h"

#include <headpond/error.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>
#include <unistd.h>

namespace headpond::ingest {

namespace {

constexpr int failure = 3;
// How long the next feed is waited for before batches are looked at.
constexpr Ms look_around{500};

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

// Of a run without an end with a database that is busy or full for a while.
class Patience {
  public:
    void works() {
        if (std::exchange(failing_, false)) spdlog::info("The database works again");
    }
    // Waits a little. Other errors are thrown on.
    void fails(const Error& error, const std::stop_token& stop) {
        if (error.code() != ErrorCode::busy && error.code() != ErrorCode::disk_full) throw;
        if (!std::exchange(failing_, true)) spdlog::error("{}", error.what());
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any().wait_for(lock, stop, look_around, [] { return false; });
    }

  private:
    bool failing_ = false;
};

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
        } else if (settings_.fetch.follow) {
            follow();
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
        // A run without an end stores feeds while the service takes its time.
        if (settings_.fetch.follow || settings_.workers > 1) {
            pipeline_->start_workers(settings_.workers);
        }
        say_what_was_there(*pipeline_);
    }

    // Addresses are asked while files are read, and files come in their order. A feed that cannot
    // be used does not keep the others from it.
    void take_feeds() {
        std::vector<FeedSource> addresses;
        std::vector<std::string> files;
        for (const std::string& name : settings_.feeds) {
            FeedSource source = feed_source(name);
            if (source.host.empty()) {
                files.push_back(name);
            } else {
                addresses.push_back(std::move(source));
            }
        }
        FeedIntake intake(addresses, settings_.fetch, system_clock(), system_random());
        if (queue_) intake.attach(*queue_);
        intake.start(signals_.token());
        if (take_files(files)) take_addresses(intake);
        if (intake.failed()) code_ = failure;
    }

    // False: there is no room for more, or a signal came.
    bool take_files(const std::vector<std::string>& names) {
        for (const std::string& name : names) {
            try {
                const auto feed = read_feed(name, signals_.token());
                if (!feed || !take(*feed, name)) return false;
            } catch (const FeedError& error) {
                spdlog::error("{}", error.what());
                code_ = failure;
            }
        }
        return true;
    }

    void take_addresses(FeedIntake& intake) {
        while (!intake.done() && !signals_.token().stop_requested()) {
            const auto arrival = intake.next(look_around);
            if (arrival && !take(intake, *arrival)) return;
            if (pipeline_) pipeline_->work(signals_.token());
        }
        // What the last ones left behind, where one was read at all.
        if (queue_) intake.attach(*queue_);
    }

    // Until a signal. What a feed or the database lack for a while ends nothing.
    void follow() {
        open();
        std::vector<FeedSource> sources;
        for (const std::string& name : settings_.feeds) sources.push_back(feed_source(name));
        FeedIntake intake(sources, settings_.fetch, system_clock(), system_random());
        intake.attach(*queue_);
        intake.start(signals_.token());
        spdlog::info("Following {} feeds, each read again every {} s", sources.size(),
                     cli::seconds_text(*settings_.fetch.follow));
        Patience patience;
        outputs_.emplace(settings_, *settings_.fetch.follow);
        while (!signals_.token().stop_requested()) {
            try {
                if (const auto arrival = intake.next(look_around)) (void)take(intake, *arrival);
                pipeline_->work(signals_.token());
                outputs_->look(
                    *queue_, pipeline_->tally().total(),
                    [] { return system_clock()->since_boot(); }, signals_.token());
                patience.works();
            } catch (const Error& error) {
                patience.fails(error, signals_.token());
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
    bool take(FeedIntake& intake, const FeedIntake::Arrival& arrival) {
        open();
        intake.attach(*queue_);
        intake.storing(arrival);
        const LeftOut left = pipeline_->take(arrival.feed, signals_.token());
        const bool whole = left.alerts == 0 && !signals_.token().stop_requested();
        if (intake.stored(arrival, left, whole)) {
            say_left_out(left, arrival.shown, queue_->options());
        }
        // A run without an end takes them when it reads the feed again.
        if (left.alerts > 0 && !settings_.fetch.follow) code_ = failure;
        return whole;
    }

    void report() {
        Summary summary = summarise(*pipeline_);
        summary.unclaimed = unclaimed_outcomes(*queue_) - unclaimed_;
        if (summary.unclaimed > 0) {
            spdlog::warn("{} outcomes were dropped unread: outcomes_max is {}", summary.unclaimed,
                         *queue_->options().outcomes_max);
        }
        // A large table is not read again only because a signal came.
        const bool fresh = outputs_ && outputs_->have(pipeline_->tally().total());
        const bool streamed = settings_.output == "-" || fills_standard_output(settings_);
        if (!fresh || streamed) write_outputs(*queue_, settings_, std::cout);
        summary.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
        std::ostream& out = fills_standard_output(settings_) ? std::cerr : std::cout;
        if (settings_.json) {
            print_json(out, summary);
        } else {
            print_table(out, summary);
        }
    }

    const IngestSettings& settings_;
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    SignalStop signals_;
    std::optional<Queue> queue_;
    std::unique_ptr<Resolver> resolver_;
    std::optional<Pipeline> pipeline_;
    std::optional<PeriodicOutputs> outputs_;  // of a run that follows
    std::int64_t unclaimed_ = 0;              // outcomes dropped unread before this run
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
