// headpond-bench: what the library costs, against the floor of the same run.
#include "../headpond/utf8.h"
#include "arguments.h"
#include "backlog_files.h"
#include "bench_vfs.h"
#include "interrupts.h"
#include "report.h"
#include "svg_plot.h"
#include "worker.h"

#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string_view>

namespace {

using namespace headpond::bench;

constexpr int failure = 3;

// Before anything is measured for it.
void require_writable(const std::string& path) {
    if (path.empty() || path == "-") return;
    if (!std::ofstream(path, std::ios::app)) {
        throw std::runtime_error(headpond::cli::shown(path) +
                                 " cannot be written; allowed: a writable path");
    }
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text << std::flush;
    if (!file) {
        throw std::runtime_error(headpond::cli::shown(path) +
                                 " could not be written; allowed: a writable path");
    }
}

void run(const Arguments& arguments) {
    require_writable(arguments.json);
    require_writable(arguments.svg);
    catch_interrupts();
    const auto delay = arguments.sync_delay;
    register_bench_vfs(delay);
    const bool json_to_stdout = arguments.json == "-";
    std::ostream& out = json_to_stdout ? std::cerr : std::cout;
    const Folder folder(arguments.folder);
    const BacklogFiles files(folder.path(), arguments.scope.seed);
    std::cerr << "bench: " << arguments.scope.rounds.count << " rounds a row, --seed "
              << arguments.scope.seed << '\n';
    std::vector<Row> rows;
    Table table(out);
    table.header();
    for (const Work* work : arguments.works) {
        work->run(arguments.scope, files, [&](Row row) {
            if (delay.count() > 0) row.more.emplace_back("sync_delay_us", delay.count());
            table.row(row);
            rows.push_back(std::move(row));
        });
    }
    for (const Work* work : arguments.works) {
        if (work->explain != nullptr) work->explain(out);
    }
    if (json_to_stdout) {
        std::cout << to_json(rows) << std::flush;
    } else if (!arguments.json.empty()) {
        write_file(arguments.json, to_json(rows));
    }
    if (!arguments.svg.empty()) write_file(arguments.svg, to_svg(rows));
    if (!out || !std::cout) throw std::runtime_error("the output could not be written");
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc == 4 && std::string_view(argv[1]) == "--worker") {
            register_bench_vfs(std::chrono::microseconds(std::stoll(argv[3])));
            return run_worker(argv[2]);
        }
        const auto arguments = read_arguments(argc, argv);
        if (arguments) run(*arguments);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "bench: " << headpond::cli::one_line(error.what()) << '\n';
    }
    return failure;
}
