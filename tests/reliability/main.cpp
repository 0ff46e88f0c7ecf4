// Runs one gate: headpond-reliability GATE [--seed N] [--amount N] [--times N] [--rows DIR]
// [--expect-violation]. Exit codes: 0 kept, 2 a violation or too low a figure, 3 usage or failure.
#include "reliability/gate.h"
#include "support/temp_dir.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <random>
#include <stdexcept>

namespace headpond::reliability {

namespace {

std::vector<Gate>& registry() {
    static std::vector<Gate> all;
    return all;
}

struct Request {
    std::string gate;
    std::optional<std::uint64_t> seed;
    std::optional<std::int64_t> amount;
    std::int64_t times = 1;
    std::string rows;
    bool expect_violation = false;
    bool list = false;
};

template <class Number>
Number number(std::string_view flag, std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 1) {
        throw std::invalid_argument(std::string(flag) + " is '" + std::string(text) +
                                    "'; allowed: a whole number from 1");
    }
    return value;
}

Request parse(int count, char** arguments) {
    Request request;
    for (int i = 1; i < count; ++i) {
        const std::string_view flag = arguments[i];
        const auto value = [&]() -> std::string_view {
            if (i + 1 == count) throw std::invalid_argument(std::string(flag) + " needs a value");
            return arguments[++i];
        };
        if (flag == "--seed") {
            request.seed = number<std::uint64_t>(flag, value());
        } else if (flag == "--amount") {
            request.amount = number<std::int64_t>(flag, value());
        } else if (flag == "--times") {
            request.times = number<std::int64_t>(flag, value());
        } else if (flag == "--rows") {
            request.rows = value();
        } else if (flag == "--expect-violation") {
            request.expect_violation = true;
        } else if (flag == "--list") {
            request.list = true;
        } else if (!flag.starts_with("-") && request.gate.empty()) {
            request.gate = flag;
        } else {
            throw std::invalid_argument("'" + std::string(flag) + "' is not understood");
        }
    }
    return request;
}

const Gate& find(std::string_view name) {
    for (const Gate& gate : gates()) {
        if (gate.name == name) return gate;
    }
    std::string all;
    for (const Gate& gate : gates()) all += (all.empty() ? "" : ", ") + std::string(gate.name);
    throw std::invalid_argument("no gate '" + std::string(name) + "'; allowed: " + all);
}

std::uint64_t fresh_seed() {
    return std::random_device{}() % 1'000'000U + 1U;
}

int run(const Request& request) {
    if (request.list) {
        for (const Gate& gate : gates()) {
            std::cout << gate.name << '\t' << gate.promised << '\t' << gate.amount << ' '
                      << gate.unit << '\n';
        }
        return 0;
    }
    const Gate& gate = find(request.gate);
    const char* const disk_folder = std::getenv("HEADPOND_RELIABILITY_DISK");
    // Removed when the run ends well.
    test::TempDir disk(disk_folder != nullptr ? std::filesystem::path(disk_folder)
                                              : std::filesystem::current_path());
    test::TempDir tmpfs(test::memory_folder());
    const GateRun order{.seed = request.seed.value_or(fresh_seed()),
                        .amount = request.amount.value_or(gate.amount) * request.times,
                        .disk = disk.path(),
                        .memory = tmpfs.path()};
    const auto start = std::chrono::steady_clock::now();
    const GateReport report = gate.run(order);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    // A smaller amount than CI's is a try, not a promise.
    const bool too_few = !report.enough && order.amount >= gate.amount;
    const bool kept = report.violations.empty() && !too_few;
    std::size_t shown = 0;
    for (const auto& line : report.violations) {
        if (++shown > 20) break;
        std::cout << "  violation: " << line << '\n';
    }
    char took[32];
    std::snprintf(took, sizeof took, "%.1f", seconds);
    std::cout << gate.name << ": " << report.reached << " (promised: " << gate.promised << "; seed "
              << order.seed << ", " << took << " s)"
              << (kept      ? ""
                  : too_few ? " TOO FEW"
                            : " BROKEN")
              << std::endl;
    if (!request.rows.empty()) {
        std::string file(gate.name);
        std::replace_if(
            file.begin(), file.end(), [](char c) { return c == ' ' || c == '/'; }, '_');
        std::ofstream(request.rows + "/" + file + ".row")
            << gate.name << '\t' << report.reached << '\t' << gate.promised << '\t' << took << '\t'
            << order.seed << '\t' << (kept ? "kept" : "BROKEN") << '\n';
    }
    if (request.expect_violation) {
        if (!report.violations.empty()) return 0;
        std::cout << "the seeded bug was not found\n";
        return 2;
    }
    if (!report.violations.empty()) {
        for (test::TempDir* folder : {&disk, &tmpfs}) {
            folder->keep();
            std::cerr << "kept: " << folder->path().string() << '\n';
        }
    }
    return kept ? 0 : 2;
}

}  // namespace

Registered::Registered(const Gate& gate) {
    registry().push_back(gate);
}

const std::vector<Gate>& gates() {
    return registry();
}

}  // namespace headpond::reliability

int main(int count, char** arguments) {
    using namespace headpond::reliability;
    std::signal(SIGPIPE, SIG_IGN);  // a child that has ended is an error, not the end of the gate
    try {
        return run(parse(count, arguments));
    } catch (const std::exception& error) {
        std::cerr << "headpond-reliability: " << error.what() << '\n';
        return 3;
    }
}
