#include "output/alerts_output.h"

#include "output/named_outputs.h"
#include "output/output_file.h"

#include <headpond/error.h>

#include <ostream>
#include <stdexcept>

namespace headpond::ingest {

namespace {

// `out` null: without "-".
void write_all(Queue& queue, const IngestSettings& settings, std::ostream* out,
               const std::stop_token& stop) {
    const auto outputs = named_outputs(settings);
    if (outputs.empty()) return;
    const Options options = queue.options();
    Excerpt excerpt;
    excerpt.now = (options.clock ? options.clock : system_clock())->wall();
    if (settings.since) excerpt.since = settings.since->from(excerpt.now);
    AlertsReader alerts(options.path.string(), stop);
    for (const NamedOutput& output : outputs) {
        const auto write = [&](std::ostream& to) { output.write(alerts, excerpt, to); };
        if (output.path == "-") {
            if (out == nullptr) continue;
            write(*out);
            out->flush();
            continue;
        }
        try {
            replace_file(output.path, write);
        } catch (const Error&) {
            throw;
        } catch (const std::exception& error) {
            throw std::runtime_error(std::string(output.option) + ' ' + output.path + ": " +
                                     error.what() + output_allowed);
        }
    }
}

}  // namespace

void write_outputs(Queue& queue, const IngestSettings& settings, std::ostream& out) {
    write_all(queue, settings, &out, {});
}

bool write_output_files(Queue& queue, const IngestSettings& settings, const std::stop_token& stop) {
    try {
        write_all(queue, settings, nullptr, stop);
    } catch (const ReadingStopped&) {
        return false;
    }
    return true;
}

bool fills_standard_output(const IngestSettings& settings) {
    return settings.geojson == "-" || settings.map == "-";
}

}  // namespace headpond::ingest
