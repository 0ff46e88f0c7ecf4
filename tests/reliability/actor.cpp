#include "reliability/actor.h"

#include "support/raw_database.h"

#include <headpond/headpond.h>

#include <cstring>
#include <optional>
#include <sstream>
#include <stdexcept>

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace headpond::reliability {

namespace {

using test::ChildProcess;

std::int64_t ticks(Moment moment) {
    return moment.time_since_epoch().count();
}

// The actor's own side.
class Player {
  public:
    explicit Player(const ChildProcess::Parent& parent) : parent_(parent) {}

    void play() {
        for (std::string line; !(line = parent_.receive()).empty();) {
            std::istringstream words(line);
            std::string verb;
            words >> verb;
            try {
                parent_.send(obey(verb, words));
            } catch (const std::exception& error) {
                parent_.send(std::string("error: ") + error.what());
            }
        }
    }

  private:
    std::string obey(const std::string& verb, std::istringstream& words) {
        if (verb == "open") return open(words);
        if (verb == "enqueue") return enqueue(words);
        if (verb == "lease") return lease(words);
        if (verb == "ack") {
            const Settled settled = batch_.value().ack();
            batch_.reset();
            return settled.fenced ? "-1" : std::to_string(settled.acked);
        }
        if (verb == "integer") {
            std::string sql;
            std::getline(words, sql);
            return std::to_string(test::RawDatabase(path_).integer(sql));
        }
        if (verb == "child") return start_child(words);
        if (verb == "cpu") return cpu_time();
        return "error: '" + verb + "' is not understood";
    }

    std::string open(std::istringstream& words) {
        Options options;
        words >> path_ >> options.label;
        options.path = path_;
        options.log = [](LogLevel, std::string_view) {};
        options.backoff_base = Ms{1};
        options.backoff_max = Ms{1};
        queue_.emplace(std::move(options));
        return "opened";
    }

    std::string enqueue(std::istringstream& words) {
        std::string key;
        words >> key;
        const Moment before = std::chrono::steady_clock::now();
        const Enqueued answer = queue_->enqueue({.key = key, .payload = "x"});
        const Moment after = std::chrono::steady_clock::now();
        std::ostringstream out;
        out << ticks(before) << ' ' << ticks(after) << ' ' << (answer == Enqueued::stored);
        return out.str();
    }

    std::string lease(std::istringstream& words) {
        std::int64_t wait = 0;
        std::int64_t lease_time = 0;
        words >> wait >> lease_time;
        LeaseRequest request;
        request.wait = Ms{wait};
        request.lease_time = Ms{lease_time};
        parent_.send("leasing");
        const Moment before = std::chrono::steady_clock::now();
        batch_ = queue_->lease(request);
        const Moment after = std::chrono::steady_clock::now();
        std::ostringstream out;
        out << ticks(before) << ' ' << ticks(after) << ' ' << (batch_ ? batch_->attempt() : 0)
            << ' ' << (batch_ ? batch_->items().front().key : "none");
        return out.str();
    }

    static std::string start_child(std::istringstream& words) {
        bool executes = false;
        words >> executes;
        const pid_t child = fork();
        if (child < 0) return std::string("error: fork: ") + std::strerror(errno);
        if (child == 0) {
            if (executes) execlp("sleep", "sleep", "600", nullptr);
            for (;;) pause();
        }
        return std::to_string(child);
    }

    static std::string cpu_time() {
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        const auto micro = [](const timeval& time) {
            return time.tv_sec * 1'000'000 + time.tv_usec;
        };
        return std::to_string(micro(used.ru_utime) + micro(used.ru_stime));
    }

    const ChildProcess::Parent& parent_;
    std::string path_;
    std::optional<Queue> queue_;
    std::optional<Batch> batch_;
};

// Plays in a process that is the first of a PID namespace, and says which id it has outside.
void play_in_namespace(const ChildProcess::Parent& parent) {
    // Who is not root may have it inside a user namespace of his own.
    if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
        parent.send(std::string("impossible ") + std::strerror(errno));
        return;
    }
    const pid_t inner = fork();
    if (inner < 0) {
        parent.send(std::string("impossible ") + std::strerror(errno));
        return;
    }
    if (inner == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        Player(parent).play();
        _exit(0);
    }
    parent.send("inside " + std::to_string(inner));
    waitpid(inner, nullptr, 0);
}

}  // namespace

Actor::Actor(Where where) {
    if (where == Where::here) {
        process_ =
            std::make_unique<ChildProcess>([](const auto& parent) { Player(parent).play(); });
        pid_ = process_->pid();
        return;
    }
    process_ = std::make_unique<ChildProcess>(play_in_namespace);
    std::istringstream words(process_->receive());
    std::string word;
    words >> word;
    if (word == "inside" && words >> pid_) {
        inner_ = std::make_unique<Stray>(pid_);
    } else {
        std::getline(words >> std::ws, impossible_);
    }
}

std::string Actor::answer() {
    std::string line = process_->receive();
    if (line.empty()) throw std::runtime_error("an actor is gone");
    if (line.starts_with("error: ")) throw std::runtime_error(line.substr(7));
    return line;
}

std::string Actor::ask(const std::string& command) {
    process_->send(command);
    return answer();
}

void Actor::open(const std::string& path, const std::string& label) {
    ask("open " + path + " " + label);
}
Added Actor::enqueue(const std::string& key) {
    std::istringstream words(ask("enqueue " + key));
    std::int64_t before = 0;
    std::int64_t after = 0;
    Added added;
    words >> before >> after >> added.stored;
    added.before = Moment(Span(before));
    added.after = Moment(Span(after));
    return added;
}

void Actor::start_lease(std::chrono::milliseconds wait, std::chrono::milliseconds lease_time) {
    ask("lease " + std::to_string(wait.count()) + " " + std::to_string(lease_time.count()));
}

Leased Actor::leased() {
    std::istringstream words(answer());
    std::int64_t before = 0;
    std::int64_t after = 0;
    Leased leased;
    words >> before >> after >> leased.attempt >> leased.key;
    leased.before = Moment(Span(before));
    leased.after = Moment(Span(after));
    return leased;
}

int Actor::ack() {
    return std::stoi(ask("ack"));
}
std::int64_t Actor::integer(const std::string& sql) {
    return std::stoll(ask("integer " + sql));
}
pid_t Actor::start_child(bool executes) {
    return std::stoi(ask(executes ? "child 1" : "child 0"));
}
std::chrono::microseconds Actor::cpu_time() {
    return std::chrono::microseconds(std::stoll(ask("cpu")));
}

void Actor::kill() {
    if (inner_) {
        inner_->kill();
        process_->wait();
    } else {
        process_->kill();
    }
}

}  // namespace headpond::reliability
