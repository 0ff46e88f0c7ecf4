// A process dies with a lease: another has its batch at once, and nobody who lives loses one.
#include "reliability/actor.h"
#include "reliability/gate.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <vector>

#include <poll.h>

namespace headpond::reliability {

namespace {

using std::chrono::milliseconds;
using Where = Actor::Where;

constexpr milliseconds long_wait{20'000};           // a waiter that needs it has failed
constexpr milliseconds long_lease{20 * 3'600'000};  // never lapses here
// Several probes of a blocked lease, which looks every 50 ms: who has not taken it by then won't.
constexpr milliseconds many_probes{400};
constexpr double promised_ms = 100;

class Scene {
  public:
    Scene(const GateRun& run, GateReport& report)
        : report_(report), run_(run), path_((run.memory / "queue.db").string()) {
        bystander_.open(path_);
        waiter_.open(path_);
        expect(bystander_.enqueue("bystander").stored, "the bystander's item was not stored");
        expect(bystander_.lease(milliseconds{0}, long_lease).attempt == 1,
               "the bystander got no lease");
    }

    // Kills `amount` holders; the times until the waiter had their batches, sorted.
    std::vector<double> deaths(std::int64_t amount, Where where, const std::string& name) {
        std::vector<double> times;
        auto random = run_.random(where == Where::here ? 0 : 1);
        for (std::int64_t i = 0; i < amount; ++i) {
            Actor holder(where);
            if (!holder.impossible().empty()) {
                impossible_ = holder.impossible();
                return {};
            }
            hold(holder, long_lease);
            waiter_.start_lease(long_wait, long_lease);
            // The death meets the waiter at any phase between two of its looks.
            ::poll(nullptr, 0, static_cast<int>(random() % 120));
            const Moment killed = std::chrono::steady_clock::now();
            holder.kill();
            times.push_back(milliseconds_until_taken(killed, name));
        }
        std::sort(times.begin(), times.end());
        return times;
    }

    // SIGSTOP: alive, and silent. Its lease ends when it lapses, not before.
    void stopped() {
        constexpr milliseconds lease_time{800};
        Actor holder;
        const Leased held = hold(holder, lease_time);
        holder.signal(SIGSTOP);
        const Leased taken = waiter_.lease(long_wait, long_lease);
        holder.signal(SIGCONT);
        // A lease is granted within its call, and times are whole milliseconds.
        const auto early = held.before + lease_time - milliseconds{2};
        expect(taken.attempt == 2, "a stopped holder's batch was not delivered again");
        expect(taken.after >= early,
               "a stopped holder's lease was taken after " +
                   std::to_string(milliseconds_between(held.before, taken.after)) +
                   " ms; allowed: when it has lapsed, after 800 ms");
        expect(holder.ack() == -1, "the ack of a superseded holder was not fenced");
        expect(waiter_.ack() == 1, "the batch after a stopped holder was not acked");
    }

    // A child that outlives the holder has its descriptors, but not its lease.
    void orphan(bool executes, const std::string& name) {
        Actor holder;
        hold(holder, long_lease);
        const Stray child(holder.start_child(executes));
        waiter_.start_lease(milliseconds{3000}, long_lease);
        const Moment killed = std::chrono::steady_clock::now();
        holder.kill();
        const double took = milliseconds_until_taken(killed, name);
        expect(took < 1000, name + ": the batch came after " + std::to_string(took) +
                                " ms; allowed: 1000, since the child does not hold the lease");
    }

    // The side file is removed, or another is put in its place, while its holder lives.
    void side_file_gone(bool replaced) {
        const std::string name = replaced ? "replaced -owners file" : "removed -owners file";
        Actor holder;
        hold(holder, long_lease);
        const std::string side = path_ + "-owners";
        if (replaced) {
            std::ofstream(side + "-new") << "another";
            std::filesystem::rename(side + "-new", side);
        } else {
            std::filesystem::remove(side);
        }
        Actor late;
        late.open(path_);
        for (Actor* other : {&waiter_, &late}) {
            expect(
                other->lease(many_probes, long_lease).attempt == 0,
                name + ": the lease of a live holder was taken; allowed: only its lapse ends it");
        }
        expect(holder.ack() == 1, name + ": the ack of a live holder was fenced");
    }

    // A process with the dead one's name and id comes up before anybody looks.
    void same_name(Where where) {
        std::int64_t dead_id = 0;
        {
            Actor holder(where);
            if (!holder.impossible().empty()) return;
            hold(holder, long_lease, "twin[1]@here");
            dead_id = newest_owner();
            holder.kill();
        }
        Actor twin(where);
        twin.open(path_, "twin[1]@here");
        const std::int64_t twin_id = newest_owner();
        expect(twin_id > dead_id, "owner id " + std::to_string(twin_id) + " follows " +
                                      std::to_string(dead_id) + "; allowed: never one used before");
        expect(waiter_.lease(milliseconds{0}, long_lease).attempt == 2,
               "a dead holder looks alive after a process of its name came");
        expect(waiter_.ack() == 1, "the batch of the dead twin was not acked");
    }

    void finish() {
        expect(bystander_.ack() == 1, "the bystander, alive all the time, has lost its lease");
        expect(waiter_.integer("SELECT count(*) FROM items") == 0, "items are left");
    }
    [[nodiscard]] const std::string& impossible() const { return impossible_; }

  private:
    void expect(bool kept, const std::string& violation) {
        if (!kept) report_.violation(violation);
    }
    static double milliseconds_between(Moment from, Moment to) {
        return reliability::milliseconds(to - from);
    }

    // The holder opens the queue and leases a new item.
    Leased hold(Actor& holder, milliseconds lease_time, const std::string& label = {}) {
        holder.open(path_, label);
        key_ = "item-" + std::to_string(next_++);
        expect(bystander_.enqueue(key_).stored, "an item was not stored");
        const Leased held = holder.lease(milliseconds{0}, lease_time);
        expect(held.attempt == 1 && held.key == key_, "the holder got no lease on " + key_);
        const std::int64_t owner = newest_owner();
        expect(owner > owner_before_, "owner id " + std::to_string(owner) + " is not new");
        owner_before_ = owner;
        return held;
    }
    std::int64_t newest_owner() { return bystander_.integer("SELECT max(id) FROM owners"); }

    double milliseconds_until_taken(Moment killed, const std::string& name) {
        const Leased taken = waiter_.leased();
        expect(taken.attempt == 2 && taken.key == key_,
               name + ": attempt " + std::to_string(taken.attempt) + " of " + taken.key +
                   "; allowed: attempt 2 of " + key_);
        if (taken.attempt != 0) expect(waiter_.ack() == 1, name + ": the ack was not taken");
        return milliseconds_between(killed, taken.after);
    }

    GateReport& report_;
    const GateRun& run_;
    const std::string path_;
    Actor bystander_, waiter_;
    std::string key_, impossible_;
    std::int64_t next_ = 0, owner_before_ = 0;
};

std::string figure(std::vector<double>& times, const std::string& name, GateReport& report) {
    const double median = times[times.size() / 2];
    if (median >= promised_ms) {
        report.violation(name + ": median " + std::to_string(median) +
                         " ms; allowed: under 100 ms");
    }
    char text[96];
    std::snprintf(text, sizeof text, "%s %zu deaths, median %.0f ms, maximum %.0f ms", name.c_str(),
                  times.size(), median, times.back());
    return text;
}

GateReport dead_owner(const GateRun& run) {
    GateReport report;
    Scene scene(run, report);
    auto times = scene.deaths(run.amount, Where::here, "SIGKILL:");
    report.reached = figure(times, "SIGKILL:", report);
    auto inside = scene.deaths(run.amount, Where::pid_namespace, "PID namespace:");
    report.reached += inside.empty()
                          ? "; PID namespaces: not possible here (" + scene.impossible() + ")"
                          : "; " + figure(inside, "PID namespace:", report);
    scene.stopped();
    scene.orphan(false, "forked child");
    scene.orphan(true, "executed child");
    scene.same_name(Where::here);
    scene.same_name(Where::pid_namespace);
    // Last: from here on old and new processes no longer share the file.
    scene.side_file_gone(false);
    scene.side_file_gone(true);
    scene.finish();
    report.enough = static_cast<std::int64_t>(times.size()) >= run.amount;
    return report;
}

const Registered registered{{.name = "dead owner",
                             .promised = "another process has the batch in under 100 ms (median)",
                             .amount = 20,
                             .unit = "deaths",
                             .run = dead_owner}};

}  // namespace

}  // namespace headpond::reliability
