// One case of the gate "model": a sequence of operations, run on the queue and on the model.
#pragma once

#include "reliability/model.h"
#include "reliability/model_file.h"

#include <headpond/admin.h>
#include <headpond/clock.h>
#include <headpond/queue.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace headpond::reliability::model {

enum class Verb : std::uint8_t {
    enqueue,
    lease,
    settle,
    settle_by_token,
    extend,
    drop,
    cancel,
    cleanup,
    forget,
    redrive,
    purge,
    set,
    pause,
    resume,
    flush,
    transact,
    owner_dies,
    reopen,
    reboot,
    pass_time,
    step_wall
};

// The numbers decide the details, each verb in its own way; 0 is the plainest.
struct Step {
    Verb verb = Verb::enqueue;
    std::array<std::uint8_t, 16> dice{};
};
struct Case {
    std::array<std::uint8_t, 4> settings{};  // which settings begin otherwise than usual
    std::vector<Step> steps;
};

class CaseClock final : public Clock {
  public:
    [[nodiscard]] Ms since_boot() const override { return Ms{boot}; }
    [[nodiscard]] WallTime wall() const override { return WallTime{Ms{wall_time}}; }
    [[nodiscard]] std::string boot_identity() const override {
        return "boot-" + std::to_string(boots);
    }
    Millis boot = 0, wall_time = 0;
    int boots = 0;
};

// The same number until it is set anew, so that the model need not know how many are drawn.
class CaseRandom final : public Random {
  public:
    std::uint64_t next() override { return value; }
    std::uint64_t value = 0;
};

// Two open queues on one file, used for case after case. One thread.
class CaseRunner {
  public:
    CaseRunner(const std::filesystem::path& folder, Keys keys);
    CaseRunner(const CaseRunner&) = delete;
    CaseRunner& operator=(const CaseRunner&) = delete;
    ~CaseRunner();

    // Empty, or what differed and after which operations, a line each.
    std::string run(const Case& one);

  private:
    struct Held {
        std::unique_ptr<Batch> batch;
        std::string token;
        std::vector<Item> items;
        std::size_t queue = 0;
        bool detached = false;
        bool done = false;  // nothing is left for the destructor
    };
    class Dice;

    void begin(const Case& one);
    void end();
    std::string run_steps(const Case& one);
    void step(const Step& step);
    void compare(Verb verb);
    // Throws what differs.
    [[noreturn]] void differ(const std::string& what) const;
    template <class Value>
    void expect(std::string_view what, const Value& expected, const Value& seen) const;
    void expect_settled(const std::optional<Settled>& expected, const std::optional<Settled>& seen);

    void enqueue(Dice& dice);
    void lease(Dice& dice);
    void settle(Dice& dice);
    void settle_by_token(Dice& dice);
    void extend(Dice& dice);
    void drop(Dice& dice);
    void pass_time(Dice& dice);
    void cancel(Dice& dice);
    void cleanup(Dice& dice);
    void forget(Dice& dice);
    void redrive(Dice& dice);
    void purge(Dice& dice);
    void set(Dice& dice);
    void pause(Dice& dice);
    void resume(Dice& dice);
    void flush(Dice& dice);
    void transact(Dice& dice);
    void one_dies(Dice& dice);
    void owner_dies(std::size_t queue);
    void step_wall(Dice& dice);
    void reopen(Dice& dice);
    void reboot(Dice& dice);

    class Newcomers;
    static Newcomers newcomers(Dice& dice, Millis wall);
    Settlement settlement(Dice& dice, const std::vector<Item>& items);
    std::optional<Settled> settled_or_misuse(const std::function<Settled()>& call) const;
    void drop_held(std::size_t at);
    void inside(Dice& dice, Transaction& tx);
    void open(std::size_t queue);
    [[nodiscard]] Moment moment() const { return {now(), random_->value}; }
    [[nodiscard]] Millis now() const { return clock_->boot + offset_; }
    void say(std::string line) { said_.back() += std::move(line); }

    std::filesystem::path path_;
    Keys keys_;
    std::shared_ptr<CaseClock> clock_ = std::make_shared<CaseClock>();
    std::shared_ptr<CaseRandom> random_ = std::make_shared<CaseRandom>();
    std::array<std::optional<Queue>, 2> queues_;
    std::array<bool, 2> flush_owed_{};
    std::unique_ptr<ModelFile> file_;
    std::optional<Model> model_;
    Millis offset_ = 0;  // of the queue clock, while this boot lasts
    QueueState last_;    // as seen after the last step
    std::vector<Held> held_;
    std::vector<std::string> tokens_;  // all that were issued
    std::vector<std::string> said_;    // a line a step
};

}  // namespace headpond::reliability::model
