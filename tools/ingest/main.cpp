// headpond-ingest: feeds in, located alerts out, through a Headpond queue.
#include "../headpond/utf8.h"
#include "run.h"
#include "settings.h"
#include "signals.h"

#include <headpond/error.h>

#include <iostream>
#include <new>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace {

using namespace headpond;
using namespace headpond::ingest;

constexpr int corrupt = 2;
constexpr int failure = 3;

void log_to_stderr() {
    auto logger = spdlog::stderr_logger_mt("headpond-ingest");
    logger->set_pattern("%Y-%m-%dT%H:%M:%SZ %l %v", spdlog::pattern_time_type::utc);
    spdlog::set_default_logger(logger);
}

// One line, whatever the names and values in it.
void complain(std::string_view text) {
    std::cerr << "headpond-ingest: " << cli::one_line(text) << '\n';
}

void require_printed() {
    std::cout.flush();
    if (!std::cout) throw std::runtime_error("standard output could not be written");
}

int guarded(int argc, char** argv) {
    try {
        guard_streams();
        log_to_stderr();
        const auto settings = read_settings(argc, argv);
        const int code = settings ? run(*settings) : 0;
        require_printed();
        return code;
    } catch (const Error& error) {
        complain(error.what());
        return error.code() == ErrorCode::corrupt ? corrupt : failure;
    } catch (const std::bad_alloc&) {
        complain("out of memory");
    } catch (const std::exception& error) {
        complain(error.what());
    }
    return failure;
}

}  // namespace

int main(int argc, char** argv) {
    return guarded(argc, argv);
}
