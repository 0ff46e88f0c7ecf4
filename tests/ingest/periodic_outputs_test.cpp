#include "output/periodic_outputs.h"

#include "support/fake_clock.h"
#include "support/temp_dir.h"
#include "tables/alerts_table.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using namespace std::chrono_literals;

class PeriodicOutput : public testing::Test {
  protected:
    PeriodicOutput() : queue(options()) {
        queue.transact([](Transaction& transaction) { AlertsTable(transaction).create(); });
        settings.output = (dir / "alerts.ndjson").string();
    }
    Options options() const {
        Options options;
        options.path = dir / "run.db";
        options.durability = Durability::process_crash;
        options.clock = clock;
        options.log = [](LogLevel, std::string_view) {};
        return options;
    }
    void add(const std::string& uuid) {
        AlertRow row;
        row.alert.uuid = uuid;
        row.alert.title = uuid;
        row.alert.source_tag = "tag";
        row.method = "batch_pending";
        row.confidence = "none";
        row.added_at = clock->wall();
        queue.transact([&](Transaction& transaction) { (void)AlertsTable(transaction).add(row); });
    }
    void look(PeriodicOutputs& outputs, std::int64_t alerts, const std::stop_token& stop = {}) {
        Counts counts;
        counts.alerts = alerts;
        outputs.look(
            queue, counts, [&] { return clock->since_boot(); }, stop);
    }
    // -1: there is no file.
    std::ptrdiff_t lines() const {
        std::ifstream file(settings.output);
        if (!file) return -1;
        return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
    }

    test::TempDir dir;
    std::shared_ptr<test::FakeClock> clock = std::make_shared<test::FakeClock>();
    Queue queue;
    IngestSettings settings;
};

TEST_F(PeriodicOutput, IsWrittenWhenSomethingCameOnceAnInterval) {
    PeriodicOutputs outputs(settings, 60s);
    look(outputs, 0);
    EXPECT_EQ(lines(), -1);
    add("a");
    look(outputs, 1);
    EXPECT_EQ(lines(), 1);
    add("b");
    look(outputs, 2);
    EXPECT_EQ(lines(), 1);
    clock->advance(60s);
    look(outputs, 2);
    EXPECT_EQ(lines(), 2);
    std::filesystem::remove(settings.output);
    clock->advance(60s);
    look(outputs, 2);
    EXPECT_EQ(lines(), -1);
}

// All feeds say that nothing changed since the run before.
TEST_F(PeriodicOutput, WhatWasThereBeforeIsWrittenAfterAnInterval) {
    add("a");
    PeriodicOutputs outputs(settings, 60s);
    look(outputs, 0);
    clock->advance(59s);
    look(outputs, 0);
    EXPECT_EQ(lines(), -1);
    clock->advance(1s);
    look(outputs, 0);
    EXPECT_EQ(lines(), 1);
}

TEST_F(PeriodicOutput, WhatIsOlderThanADurationLeavesTheFile) {
    settings.since = Since{.back = 90s};
    PeriodicOutputs outputs(settings, 60s);
    add("a");
    look(outputs, 1);
    EXPECT_EQ(lines(), 1);
    clock->advance(120s);
    look(outputs, 1);
    EXPECT_EQ(lines(), 0);
}

TEST_F(PeriodicOutput, AStopLeavesTheOldFile) {
    PeriodicOutputs outputs(settings, 60s);
    add("a");
    look(outputs, 1);
    add("b");
    clock->advance(60s);
    std::stop_source stop;
    stop.request_stop();
    look(outputs, 2, stop.get_token());
    EXPECT_EQ(lines(), 1);
    EXPECT_FALSE(std::filesystem::exists(settings.output + ".new"));
    look(outputs, 2);
    EXPECT_EQ(lines(), 2);
}

}  // namespace
}  // namespace headpond::ingest
