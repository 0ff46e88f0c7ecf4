// headpond-ingest: feeds in, located alerts out, through a Headpond queue.
#include "feed/feed.h"
#include "pipeline.h"
#include "report.h"
#include "sample.h"
#include "settings.h"
#include "signals.h"

#include <headpond/error.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace {

using namespace headpond;
using namespace headpond::ingest;

constexpr int failure = 3;

void log_to_stderr() {
    auto logger = spdlog::stderr_logger_mt("headpond-ingest");
    logger->set_pattern("%Y-%m-%dT%H:%M:%SZ %l %v", spdlog::pattern_time_type::utc);
    spdlog::set_default_logger(logger);
}

// Reads what can be read before the database is touched: a missing feed creates nothing.
void require_feeds(const IngestSettings& settings) {
    for (const std::string& feed : settings.feeds) {
        if (feed == "-") continue;
        if (feed.starts_with("http://") || feed.starts_with("https://")) {
            throw UsageError("the feed " + feed + " is an address; allowed: a file, or -");
        }
        std::error_code error;
        if (!std::filesystem::exists(feed, error)) {
            throw UsageError("the feed '" + feed +
                             "' does not exist; allowed: a readable file, or -");
        }
    }
}

Feed read_feed(const std::string& name) {
    const std::string bytes =
        name == "-" ? read_bounded(STDIN_FILENO, "standard input") : read_file(name);
    Feed feed = parse_feed(bytes, {.file_name = name == "-" ? "standard input" : name});
    for (const std::string& warning : feed.warnings) spdlog::warn("{}", warning);
    return feed;
}

// Answers the exit code so far: a feed that cannot be used does not keep the others from it.
int take_feeds(const IngestSettings& settings, Pipeline& pipeline, const std::stop_token& stop) {
    if (settings.feeds.empty()) {
        spdlog::info("No feed was named: the bundled sample is read");
        pipeline.take(parse_feed(bundled_sample(), {.file_name = "sample"}), stop);
        return 0;
    }
    int code = 0;
    for (const std::string& name : settings.feeds) {
        if (stop.stop_requested()) break;
        try {
            pipeline.take(read_feed(name), stop);
        } catch (const FeedError& error) {
            spdlog::error("{}", error.what());
            code = failure;
        }
    }
    return code;
}

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

void require_printed() {
    std::cout.flush();
    if (!std::cout) throw std::runtime_error("standard output could not be written");
}

int run(const IngestSettings& settings) {
    require_feeds(settings);
    require_standard_output();
    const auto start = std::chrono::steady_clock::now();
    SignalStop signals;
    const auto resolver = make_resolver(settings.resolver);
    Queue queue(settings.queue);
    Pipeline pipeline(queue, *resolver, settings.hide_coordinates);
    show_progress(pipeline);
    pipeline.open();
    say_what_was_there(pipeline);
    const int code = take_feeds(settings, pipeline, signals.token());
    const bool drained = pipeline.drain(signals.token());
    if (pipeline.counts().known > 0) {
        spdlog::info("{} alerts were known already", pipeline.counts().known);
    }
    if (signals.token().stop_requested()) spdlog::info("Stopped by a signal");
    if (!drained) spdlog::warn("Alerts are left pending: run again to go on");
    // A drained run has cleaned up, which logs the health.
    if (signals.token().stop_requested()) queue.log_health();
    Summary summary = summarise(queue, pipeline, settings.hide_coordinates);
    if (!settings.output.empty()) write_alerts(queue, settings.output, std::cout);
    summary.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (settings.json) {
        print_json(std::cout, summary);
    } else {
        print_table(std::cout, summary);
    }
    require_printed();
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        guard_streams();
        log_to_stderr();
        const auto settings = read_settings(argc, argv);
        if (settings) return run(*settings);
        require_printed();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "headpond-ingest: " << error.what() << '\n';
        return failure;
    }
}
