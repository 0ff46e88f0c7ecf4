#include "moonshot/moonshot_settings.h"

#include "../headpond/arguments.h"
#include "http/http_client.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

namespace headpond::ingest {

namespace {

using cli::UsageError;

constexpr std::size_t key_bytes_max = 512;
constexpr const char* base_url_allowed =
    "; allowed: http:// or https://, a host and perhaps a path, as in https://api.moonshot.ai/v1";

// A value and what gave it, for messages.
struct Given {
    std::string value, by;
};

std::optional<Given> given(const std::string& flag, const std::optional<std::string>& typed,
                           const char* variable) {
    if (typed) return Given{*typed, flag};
    const char* value = std::getenv(variable);
    if (value == nullptr) return std::nullopt;
    return Given{value, variable};
}

bool is_word(const std::string& text, std::size_t bytes_max) {
    return !text.empty() && text.size() <= bytes_max &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

void require_key(const std::string& key, const std::string& where) {
    if (is_word(key, key_bytes_max)) return;
    throw UsageError(where + (key.empty() ? " holds no key" : " holds what is no key") +
                     "; allowed: 1 to 512 printable ASCII characters without blanks");
}

// The first line of a file, which may be a named pipe.
std::string read_key_file(const std::string& path) {
    const std::string where = "--moonshot-key-file " + cli::shown(path);
    struct stat status {};
    const bool folder = ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    errno = 0;
    std::ifstream file(path);
    if (folder || !file.is_open()) {
        throw UsageError(where + ": " + std::generic_category().message(folder ? EISDIR : errno) +
                         "; allowed: a readable file with the key in its first line");
    }
    std::string line;
    // A file without end is read no further than a key reaches.
    while (line.size() <= key_bytes_max) {
        const int c = file.get();
        if (c == std::ifstream::traits_type::eof() || c == '\n') break;
        line += static_cast<char>(c);
    }
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    require_key(line, where);
    if (S_ISREG(status.st_mode) && (status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        spdlog::warn("{} may be read by others; allowed: chmod 600", where);
    }
    return line;
}

std::string read_key(const std::optional<std::string>& file) {
    if (file) return read_key_file(*file);
    const char* key = std::getenv("MOONSHOT_API_KEY");
    if (key == nullptr) {
        throw UsageError(
            "--resolver moonshot has no key; allowed: the variable MOONSHOT_API_KEY, or "
            "--moonshot-key-file FILE");
    }
    require_key(key, "MOONSHOT_API_KEY");
    return key;
}

// Credentials and queries have no place in it: it is logged.
std::string checked_base_url(const Given& url) {
    const bool plain = url.value.find_first_of("@?#") == std::string::npos;
    bool address = plain && is_http_address(url.value);
    try {
        if (address) (void)host_of(url.value);
    } catch (const HttpError&) {
        address = false;
    }
    if (!address) {
        // What might be a password is not shown.
        throw UsageError(url.by +
                         (plain ? " is " + cli::shown(url.value)
                                : std::string(" has credentials or a query in it")) +
                         base_url_allowed);
    }
    // Whatever the case of its letters.
    const bool encrypted = url.value.at(4) != ':';
    if (!encrypted && !is_loopback(url.value)) {
        spdlog::warn("{} is not https: the key can be read on its way", url.by);
    }
    return url.value;
}

std::string checked_model(const Given& model) {
    if (is_word(model.value, 200)) return model.value;
    throw UsageError(model.by + " is " + cli::shown(model.value) +
                     "; allowed: 1 to 200 printable ASCII characters without blanks");
}

}  // namespace

void MoonshotFlags::add_to(CLI::App& app) {
    const MoonshotSettings defaults;
    const auto add = [&](const char* flag, std::optional<std::string>& value,
                         const std::string& about, const char* type) {
        app.add_option(flag, value, about)->type_name(type)->group("Moonshot");
    };
    add("--moonshot-key-file", key_file_,
        "the key is its first line (without: variable MOONSHOT_API_KEY)", "FILE");
    add("--moonshot-base-url", base_url_,
        "of any server with OpenAI's chat completions (default " + defaults.base_url +
            ", variable MOONSHOT_BASE_URL)",
        "URL");
    add("--moonshot-model", model_, "(default " + defaults.model + ", variable MOONSHOT_MODEL)",
        "NAME");
    add("--moonshot-connect-timeout", connect_timeout_,
        "[s] (default 10, variable MOONSHOT_CONNECT_TIMEOUT)", "VALUE");
    add("--moonshot-call-timeout", call_timeout_,
        "of a whole call [s] (default 120, variable MOONSHOT_CALL_TIMEOUT)", "VALUE");
}

MoonshotSettings MoonshotFlags::read() const {
    MoonshotSettings settings;
    if (const auto url = given("--moonshot-base-url", base_url_, "MOONSHOT_BASE_URL")) {
        settings.base_url = checked_base_url(*url);
    }
    if (const auto model = given("--moonshot-model", model_, "MOONSHOT_MODEL")) {
        settings.model = checked_model(*model);
    }
    constexpr Ms least{1};
    constexpr Ms most{600'000};
    if (const auto time =
            given("--moonshot-connect-timeout", connect_timeout_, "MOONSHOT_CONNECT_TIMEOUT")) {
        settings.connect_timeout = cli::parse_seconds(time->by, time->value, least, most);
    }
    if (const auto time =
            given("--moonshot-call-timeout", call_timeout_, "MOONSHOT_CALL_TIMEOUT")) {
        settings.call_timeout = cli::parse_seconds(time->by, time->value, least, most);
    }
    settings.key = read_key(key_file_);
    return settings;
}

}  // namespace headpond::ingest
