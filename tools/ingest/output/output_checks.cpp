// What is refused of --output, --geojson and --map before anything is opened.
#include "output/alerts_output.h"
#include "output/named_outputs.h"
#include "output/output_file.h"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

namespace headpond::ingest {

namespace {

namespace fs = std::filesystem;

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

bool is_stream(const fs::path& path, int fd) {
    struct stat file {
    }, stream{};
    return ::stat(path.c_str(), &file) == 0 && ::fstat(fd, &stream) == 0 &&
           file.st_dev == stream.st_dev && file.st_ino == stream.st_ino;
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
        if (input ? is_stream(path, STDIN_FILENO) : same_file(path, feed)) {
            return input ? "standard input" : "the feed '" + feed + "'";
        }
    }
    return {};
}

[[noreturn]] void refuse(const NamedOutput& output, const std::string& why) {
    throw UsageError(std::string(output.option) + ' ' + output.path + ": " + why + output_allowed);
}

void require_access(const NamedOutput& output, const fs::path& file, int mode) {
    if (::access(file.c_str(), mode) != 0) {
        refuse(output, file.string() + ": " + std::generic_category().message(errno));
    }
}

void require_writable(const NamedOutput& output, const IngestSettings& settings) {
    if (output.path == "-") return;
    const fs::path target = target_of(output.path);
    std::error_code error;
    const auto status = fs::status(target, error);
    if (status.type() == fs::file_type::none) refuse(output, error.message());
    if (fs::is_directory(status)) refuse(output, "is a directory");
    // A terminal or /dev/null may be read and written at once.
    if (fs::is_character_file(status)) return require_access(output, target, W_OK);
    const std::string role = role_of(target, settings);
    if (!role.empty()) refuse(output, "is " + role + ", which the run reads");
    if (fs::is_fifo(status) && settings.fetch.follow) {
        refuse(output, "is a pipe, which may keep a run that follows waiting for its reader");
    }
    if (written_in_place(status)) return require_access(output, target, W_OK);
    const fs::path directory = target.has_parent_path() ? target.parent_path() : fs::path(".");
    if (!target.has_filename()) refuse(output, "names no file");
    require_access(output, directory, W_OK | X_OK);
    const fs::path whole = beside(target);
    const std::string spoiled = role_of(whole, settings);
    if (!spoiled.empty()) {
        refuse(output, "is written by way of " + whole.string() + ", which is " + spoiled);
    }
    const auto there = fs::symlink_status(whole, error);
    if (fs::exists(there) && !fs::is_regular_file(there)) {
        refuse(output, "is written by way of " + whole.string() + ", which exists and is no file");
    }
}

// Both go to one file, or one by way of the other. A terminal or /dev/null takes both.
bool meet(const NamedOutput& one, const NamedOutput& other) {
    std::error_code error;
    if (one.path != "-" && fs::is_character_file(target_of(one.path), error)) return false;
    if (other.path != "-" && fs::is_character_file(target_of(other.path), error)) return false;
    if (one.path == "-" || other.path == "-") {
        const NamedOutput& file = one.path == "-" ? other : one;
        return one.path == other.path || is_stream(target_of(file.path), STDOUT_FILENO);
    }
    const fs::path target = target_of(one.path);
    return same_file(target, other.path) || same_file(beside(target), other.path) ||
           same_file(target, beside(target_of(other.path)).string());
}

}  // namespace

void require_output(const IngestSettings& settings) {
    const auto outputs = named_outputs(settings);
    for (const NamedOutput& output : outputs) require_writable(output, settings);
    for (auto one = outputs.begin(); one != outputs.end(); ++one) {
        for (auto other = one + 1; other != outputs.end(); ++other) {
            if (!meet(*one, *other)) continue;
            const bool streams = one->path == "-" && other->path == "-";
            refuse(*other, std::string("is ") +
                               (streams ? "standard output, as " : "the file of ") + one->option +
                               ' ' + one->path + (streams ? "" : ", or written by way of it") +
                               ", too");
        }
    }
}

}  // namespace headpond::ingest
