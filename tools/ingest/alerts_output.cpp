#include "alerts_output.h"

#include "alerts_table.h"
#include "iso_time.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace headpond::ingest {

namespace {

namespace fs = std::filesystem;

constexpr const char* allowed = "; allowed: a writable path, or -";

// A link keeps its place, also one to what is yet to come.
fs::path target_of(const std::string& path) {
    std::error_code error;
    fs::path target = path;
    for (int links = 0; fs::is_symlink(target, error) && links < 40; ++links) {
        target = target.parent_path() / fs::read_symlink(target);
    }
    return target;
}

// Written first, and renamed when it is whole.
fs::path beside(const fs::path& target) {
    fs::path whole = target;
    whole += ".new";
    return whole;
}

// A pipe or a device is written to, and never replaced by a file.
bool written_in_place(const fs::file_status& status) {
    return fs::exists(status) && !fs::is_regular_file(status);
}

bool same_file(const fs::path& one, const std::string& other) {
    std::error_code error;
    if (fs::equivalent(one, other, error)) return true;
    // What does not exist yet is compared by its path.
    const auto path_of = [&](const fs::path& path) {
        return fs::weakly_canonical(fs::absolute(path, error), error);
    };
    const fs::path path = path_of(one);
    return !path.empty() && path == path_of(target_of(other));
}

bool is_standard_input(const fs::path& path) {
    struct stat file {
    }, input{};
    return ::stat(path.c_str(), &file) == 0 && ::fstat(STDIN_FILENO, &input) == 0 &&
           file.st_dev == input.st_dev && file.st_ino == input.st_ino;
}

// What `path` is of the files that the run reads; empty: none of them.
std::string role_of(const fs::path& path, const IngestSettings& settings) {
    if (same_file(path, settings.database)) return "the database";
    for (const char* suffix : {"-wal", "-shm", "-journal", "-owners"}) {
        if (same_file(path, settings.database + suffix)) {
            return std::string("the database's ") + suffix;
        }
    }
    for (const std::string& feed : settings.feeds) {
        const bool input = feed == "-";
        if (input ? is_standard_input(path) : same_file(path, feed)) {
            return input ? "standard input" : "the feed '" + feed + "'";
        }
    }
    return {};
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw UsageError("--output " + path + ": " + why + allowed);
}

void require_access(const std::string& path, const fs::path& file, int mode) {
    if (::access(file.c_str(), mode) != 0) {
        refuse(path, file.string() + ": " + std::generic_category().message(errno));
    }
}

nlohmann::ordered_json to_json(const AlertRow& row) {
    const auto number = [](const std::optional<double>& value) -> nlohmann::ordered_json {
        if (!value) return nullptr;
        return *value;
    };
    const auto text = [](const std::string& value) -> nlohmann::ordered_json {
        if (value.empty()) return nullptr;
        return value;
    };
    nlohmann::ordered_json published = nullptr;
    if (row.alert.published_at) published = iso_time(*row.alert.published_at);
    return {{"uuid", row.alert.uuid},
            {"title", row.alert.title},
            {"summary", row.alert.summary},
            {"link", row.alert.link},
            {"source_tag", row.alert.source_tag},
            {"published_at", published},
            {"latitude", number(row.alert.latitude)},
            {"longitude", number(row.alert.longitude)},
            {"location_method", row.method},
            {"location_confidence", row.confidence},
            {"location_name", text(row.name)},
            {"location_country", text(row.country)},
            {"location_reason", text(row.reason)}};
}

void write_lines(Queue& queue, std::ostream& out) {
    queue.transact([&](Transaction& transaction) {
        AlertsTable(transaction).each([&](const AlertRow& row) {
            out << to_json(row).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                << '\n';
        });
    });
    out.flush();
}

}  // namespace

void require_output(const IngestSettings& settings) {
    const std::string& path = settings.output;
    if (path.empty() || path == "-") return;
    const fs::path target = target_of(path);
    std::error_code error;
    const auto status = fs::status(target, error);
    if (status.type() == fs::file_type::none) refuse(path, error.message());
    if (fs::is_directory(status)) refuse(path, "is a directory");
    // A terminal or /dev/null may be read and written at once.
    if (fs::is_character_file(status)) return require_access(path, target, W_OK);
    const std::string role = role_of(target, settings);
    if (!role.empty()) refuse(path, "is " + role + ", which the run reads");
    if (written_in_place(status)) return require_access(path, target, W_OK);
    const fs::path directory = target.has_parent_path() ? target.parent_path() : fs::path(".");
    if (!target.has_filename()) refuse(path, "names no file");
    require_access(path, directory, W_OK | X_OK);
    const fs::path whole = beside(target);
    const std::string spoiled = role_of(whole, settings);
    if (!spoiled.empty()) {
        refuse(path, "is written by way of " + whole.string() + ", which is " + spoiled);
    }
    const auto there = fs::symlink_status(whole, error);
    if (fs::exists(there) && !fs::is_regular_file(there)) {
        refuse(path, "is written by way of " + whole.string() + ", which exists and is no file");
    }
}

void write_alerts(Queue& queue, const std::string& path, std::ostream& out) {
    const auto fail = [&](const std::string& why) {
        throw std::runtime_error("--output " + path + ": " + why + allowed);
    };
    if (path == "-") {
        write_lines(queue, out);
        return;
    }
    const auto write = [&](const fs::path& file) {
        std::ofstream out_file(file, std::ios::trunc);
        if (!out_file) fail(std::generic_category().message(errno));
        write_lines(queue, out_file);
        if (!out_file) fail("writing failed");
    };
    std::error_code error;
    const fs::path target = target_of(path);
    if (written_in_place(fs::status(target, error))) {
        write(target);
        return;
    }
    const fs::path whole = beside(target);
    try {
        write(whole);
    } catch (...) {
        fs::remove(whole, error);
        throw;
    }
    fs::rename(whole, target, error);
    if (error) fail(error.message());
}

}  // namespace headpond::ingest
