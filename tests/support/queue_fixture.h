// A real queue on a real file, with a clock that the test moves and a log that it reads.
#pragma once

#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <headpond/admin.h>
#include <headpond/headpond.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace headpond::test {

class QueueTest : public ::testing::Test {
  protected:
    // Limits that a test leaves alone are the defaults; process_crash, so that tests don't sync.
    Options options() {
        Options options;
        options.path = dir / "queue.db";
        options.durability = Durability::process_crash;
        options.clock = clock;
        options.random = random;
        options.log = [this](LogLevel, std::string_view line) {
            const std::lock_guard lock(lines_mutex);
            lines.emplace_back(line);
        };
        return options;
    }

    // Stores tracked items with these keys; the payload is "payload of KEY".
    static std::vector<Enqueued> put(Queue& queue, const std::vector<std::string>& keys,
                                     Tracking tracking = Tracking::tracked) {
        std::vector<std::string> payloads;
        for (const auto& key : keys) payloads.push_back("payload of " + key);
        std::vector<NewItem> items;
        for (std::size_t i = 0; i < keys.size(); ++i) {
            items.push_back({.key = keys[i],
                             .source_tag = "test",
                             .payload = payloads[i],
                             .tracking = tracking});
        }
        return queue.enqueue(items);
    }
    static std::vector<std::string> keys_of(const Batch& batch) {
        std::vector<std::string> keys;
        for (const auto& item : batch.items()) keys.push_back(item.key);
        return keys;
    }
    // The resident keys, oldest first.
    static std::vector<std::string> resident(Queue& queue) {
        std::vector<std::string> keys;
        for (const auto& item : Admin(queue).peek(1'000'000)) keys.push_back(item.key);
        return keys;
    }
    // Value of a counter of the view `counters`.
    static long long counter(Queue& queue, std::string_view name) {
        for (const auto& row : Admin(queue).view("counters").rows) {
            if (row[0] == name) return std::stoll(row[1]);
        }
        ADD_FAILURE() << "no counter " << name;
        return -1;
    }
    // After every test: the ledger balances, ranges never overlap, the file is whole.
    static void expect_sound(Queue& queue) {
        const CheckReport report = Admin(queue).check();
        for (const auto& finding : report.findings) {
            EXPECT_TRUE(finding.warning) << finding.what << ": " << finding.detail;
        }
    }
    [[nodiscard]] bool logged(const std::string& line) {
        const std::lock_guard lock(lines_mutex);
        for (const auto& one : lines) {
            if (one == line) return true;
        }
        return false;
    }

    TempDir dir;
    std::shared_ptr<FakeClock> clock = std::make_shared<FakeClock>();
    std::shared_ptr<FakeRandom> random = std::make_shared<FakeRandom>();
    std::mutex lines_mutex;  // guards lines
    std::vector<std::string> lines;
};

}  // namespace headpond::test
