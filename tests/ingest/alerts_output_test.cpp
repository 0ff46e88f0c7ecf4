#include "output/alerts_output.h"

#include "support/fake_clock.h"
#include "support/temp_dir.h"
#include "tables/alerts_table.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace headpond::ingest {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

class AlertsOutput : public testing::Test {
  protected:
    AlertsOutput() : queue(options()) {
        queue.transact([](Transaction& transaction) { AlertsTable(transaction).create(); });
    }

    Options options() const {
        Options options;
        options.path = dir / "run.db";
        options.durability = Durability::process_crash;
        options.clock = clock;
        options.log = [](LogLevel, std::string_view) {};
        return options;
    }
    void add(const std::string& uuid, const std::function<void(AlertRow&)>& change = {}) {
        AlertRow row;
        row.alert.uuid = uuid;
        row.alert.title = "title of " + uuid;
        row.alert.source_tag = "tag";
        row.alert.latitude = 14.604000091552734;
        row.alert.longitude = -120.5;
        row.method = "feed";
        row.confidence = "high";
        row.added_at = row.located_at = clock->wall();
        if (change) change(row);
        queue.transact([&](Transaction& transaction) { (void)AlertsTable(transaction).add(row); });
    }
    std::string written(std::string IngestSettings::*format,
                        const std::optional<Since>& since = {}) {
        IngestSettings settings;
        settings.*format = "-";
        settings.since = since;
        std::ostringstream out;
        write_outputs(queue, settings, out);
        return out.str();
    }
    // The uuids of what is put out, in its order.
    std::string uuids(const std::optional<Since>& since = {}) {
        std::istringstream lines(written(&IngestSettings::output, since));
        std::string text;
        for (std::string line; std::getline(lines, line);) {
            text += json::parse(line)["uuid"].get<std::string>() + ' ';
        }
        return text;
    }
    std::string content(const std::string& name) const {
        std::ifstream in(dir / name);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    test::TempDir dir;
    std::shared_ptr<test::FakeClock> clock = std::make_shared<test::FakeClock>();
    Queue queue;
};

TEST_F(AlertsOutput, GeoJsonHasAPointForEachAlertWithAPosition) {
    add("a", [](AlertRow& row) {
        row.name = "Manila";
        row.alert.published_at = WallTime{1'700'000'000s};
    });
    add("b", [](AlertRow& row) {
        row.alert.latitude.reset();
        row.alert.longitude.reset();
        row.method = "fallback";
    });
    add("c", [](AlertRow& row) { row.alert.latitude = 91; });
    const json read = json::parse(written(&IngestSettings::geojson));
    EXPECT_EQ(read["type"], "FeatureCollection");
    EXPECT_EQ(read.size(), 2U);
    ASSERT_EQ(read["features"].size(), 1U);
    const json& feature = read["features"][0];
    EXPECT_EQ(feature["type"], "Feature");
    EXPECT_EQ(feature["id"], "a");
    EXPECT_EQ(feature["geometry"],
              json::parse(R"({"type":"Point","coordinates":[-120.5,14.604]})"));
    EXPECT_EQ(feature["properties"]["location_name"], "Manila");
    EXPECT_EQ(feature["properties"]["published_at"], "2023-11-14T22:13:20Z");
    EXPECT_TRUE(feature["properties"]["location_country"].is_null());
}

TEST_F(AlertsOutput, NoAlertsAreAWholeDocumentToo) {
    EXPECT_EQ(written(&IngestSettings::output), "");
    EXPECT_EQ(json::parse(written(&IngestSettings::geojson))["features"].size(), 0U);
    EXPECT_NE(written(&IngestSettings::map).find("</html>"), std::string::npos);
}

TEST_F(AlertsOutput, TextThatIsNoUtf8BecomesValid) {
    add("a", [](AlertRow& row) { row.alert.title = "bad \xFF byte"; });
    for (const auto format : {&IngestSettings::output, &IngestSettings::geojson}) {
        const json read = json::parse(written(format));
        const json& of = read.contains("features") ? read["features"][0]["properties"] : read;
        EXPECT_EQ(of["title"], "bad \xEF\xBF\xBD byte");
    }
}

TEST_F(AlertsOutput, SinceCountsFromWhenARowWasAddedElseFromWhenItWasPublished) {
    const WallTime start = clock->wall();
    const auto published = [&](Ms after) {
        return [=](AlertRow& row) { row.alert.published_at = start + after; };
    };
    add("late news", published(-10h));
    add("old row", [&](AlertRow& row) {
        row.added_at.reset();
        row.alert.published_at = start - 1h;
    });
    add("older row", [&](AlertRow& row) {
        row.added_at.reset();
        row.alert.published_at = start - 3h;
    });
    add("no time", [](AlertRow& row) { row.added_at.reset(); });
    clock->advance(1h);
    add("new", published(0h));
    EXPECT_EQ(uuids(), "no time late news older row old row new ");
    EXPECT_EQ(uuids(Since{.at = start}), "late news new ");
    EXPECT_EQ(uuids(Since{.back = 2h}), "late news old row new ");
    EXPECT_EQ(uuids(Since{.back = 0s}), "new ");
    clock->advance(1h);
    EXPECT_EQ(uuids(Since{.back = 90min}), "new ");
}

TEST_F(AlertsOutput, ThePageHoldsHostileTextAsData) {
    const std::string hostile =
        "</script><script>alert(1)</script><!--<script> & \xE2\x80\xA8\xE2\x80\xA9 {{land}} \"'\\";
    add("a", [&](AlertRow& row) {
        row.alert.title = row.alert.summary = row.alert.link = row.alert.source_tag = hostile;
        row.method = row.confidence = row.name = row.country = row.reason = hostile;
    });
    const std::string page = written(&IngestSettings::map);
    const std::string open = "<script type=\"application/json\" id=\"alerts-data\">";
    const auto begin = page.find(open) + open.size();
    const std::string data = page.substr(begin, page.find("</script>", begin) - begin);
    EXPECT_EQ(data.find_first_of("<>&"), std::string::npos) << data;
    EXPECT_EQ(data.find("\xE2\x80"), std::string::npos) << data;
    const json alert = json::parse(data).at(0);
    EXPECT_EQ(alert.size(), 13U);
    for (const int text : {0, 1, 2, 3, 8, 9, 10, 11, 12}) EXPECT_EQ(alert[text], hostile) << text;
    EXPECT_EQ(alert[6], 14.604000091552734);
    // Elsewhere there is nothing of it: four elements are scripts, as without alerts.
    std::size_t scripts = 0;
    for (auto at = page.find("<script"); at != std::string::npos;
         at = page.find("<script", at + 1)) {
        ++scripts;
    }
    EXPECT_EQ(scripts, 4U);
}

TEST_F(AlertsOutput, FilesCanBeWrittenAgainAndAgainWithoutTheStream) {
    IngestSettings settings;
    settings.output = "-";
    settings.geojson = (dir / "a.json").string();
    settings.map = (dir / "a.html").string();
    for (const std::string uuid : {"a", "b", "c"}) {
        add(uuid);
        EXPECT_TRUE(write_output_files(queue, settings, {}));
        EXPECT_NE(content("a.json").find(uuid), std::string::npos);
        EXPECT_NE(content("a.html").find("title of " + uuid), std::string::npos);
    }
    std::ostringstream out;
    write_outputs(queue, settings, out);
    EXPECT_EQ(out.str(), written(&IngestSettings::output));
    EXPECT_FALSE(fills_standard_output(settings));
}

TEST_F(AlertsOutput, WritersGoOnWhileAnOutputIsTaken) {
    add("a");
    // Takes what is written slowly: meanwhile another connection writes.
    class Slow final : public std::stringbuf {
      public:
        explicit Slow(std::function<void()> between) : between_(std::move(between)) {}
        std::streamsize xsputn(const char* text, std::streamsize size) override {
            if (between_) std::exchange(between_, nullptr)();
            return std::stringbuf::xsputn(text, size);
        }

      private:
        std::function<void()> between_;
    };
    Slow slow([&] { add("b"); });
    std::ostream out(&slow);
    IngestSettings settings;
    settings.output = "-";
    write_outputs(queue, settings, out);
    EXPECT_NE(slow.str().find("title of a"), std::string::npos);
    EXPECT_EQ(slow.str().find("title of b"), std::string::npos);
    EXPECT_EQ(uuids(), "a b ");
}

}  // namespace
}  // namespace headpond::ingest
