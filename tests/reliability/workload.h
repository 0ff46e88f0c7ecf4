// Every verb of the library against one file, the same calls again for the same seed; each call and
// its answer go into a history. Goes on after errors, as an ingestion process would.
#pragma once

#include "reliability/oracle.h"
#include "support/fake_clock.h"

#include <headpond/admin.h>
#include <headpond/headpond.h>

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace headpond::reliability {

class Workload {
  public:
    // The limit of items is set between these.
    static constexpr std::int64_t items_lowest = 20, items_highest = 49;

    struct Order {
        std::filesystem::path path;
        Durability durability = Durability::power_loss;
        std::uint64_t seed = 1;
        int rounds = 20;
        // After each call that succeeded: whether a power cut must not undo it (rule 12). A call
        // that only leases, extends, nacks, releases or splits may be undone.
        std::function<void(bool durable)> after_call = {};
        std::function<void(const Error&)> on_error = {};
        std::string name = {};  // begins each key, so that several processes can share a file
        // With other processes on the file: real time, and retries at once.
        bool live = false;
        // Told when a call of the library begins and ends.
        std::function<void(bool)> inside = {};
        // Told when a batch is taken and when it is done with.
        std::function<void(bool)> holding = {};
    };
    Workload(Order order, History& history);
    Workload(const Workload&) = delete;
    Workload& operator=(const Workload&) = delete;
    ~Workload();

    // Opens, runs, closes. Throws nothing that the library throws.
    void run();
    [[nodiscard]] std::int64_t errors() const { return errors_; }

  private:
    // Runs fn; what it throws is noted in `failure_`. False: it threw.
    bool call(bool durable, const std::function<void()>& fn);
    // The same, where only the answer tells whether a power cut may undo it.
    bool call(const std::function<bool()>& durable);
    // How a change ended that `call` just failed to make.
    [[nodiscard]] Told failed() const;
    // The same of one that is a single transaction whatever happens.
    [[nodiscard]] Told failed_whole() const;
    bool open();
    bool ready();
    void close();

    void round();
    void enqueue();
    void enqueue_with_guest();
    std::optional<Batch> lease();
    void settle_somehow(Batch& batch);
    void settle(Batch& batch, std::size_t acked, std::size_t rejected, Rest rest);
    void fail_until_abandoned();
    void read_outcomes();
    void cancel();
    void operate();
    void set_a_limit();

    [[nodiscard]] std::size_t pick(std::size_t below);
    [[nodiscard]] std::string new_key(const char* prefix);
    void advance(Ms by);

    const Order order_;
    History& history_;
    std::mt19937_64 random_;
    std::shared_ptr<test::FakeClock> clock_ = std::make_shared<test::FakeClock>();
    std::shared_ptr<test::FakeRandom> tokens_;
    std::optional<Queue> queue_;
    std::vector<std::string> known_;    // keys that were stored
    std::optional<ErrorCode> failure_;  // empty after a failure that is no headpond::Error
    std::int64_t errors_ = 0;
    int keys_ = 0;
    bool lost_ = false;  // could not be opened again: the run ends
};

}  // namespace headpond::reliability
