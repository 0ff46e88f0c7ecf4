#include "option_table.h"

#include <headpond/error.h>

#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace headpond {
namespace {

// Sets a variable for as long as it lives.
class Variable {
  public:
    Variable(std::string name, const std::string& value) : name_(std::move(name)) {
        setenv(name_.c_str(), value.c_str(), 1);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { unsetenv(name_.c_str()); }

  private:
    std::string name_;
};

std::string misuse_of(const std::function<void()>& fn) {
    try {
        fn();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::misuse) << error.what();
        return error.what();
    }
    ADD_FAILURE() << "was allowed";
    return {};
}

TEST(OptionTable, NamesAndVariablesAreUniqueAndDefaultsAreInRange) {
    std::set<std::string> names;
    std::set<std::string> variables;
    for (const OptionRow& row : option_table()) {
        EXPECT_TRUE(names.insert(std::string(row.name)).second) << row.name;
        EXPECT_TRUE(variables.insert(row.variable_name()).second) << row.name;
        EXPECT_FALSE(row.about.empty()) << row.name;
        EXPECT_FALSE(row.allowed().empty()) << row.name;
        if (row.kind == OptionKind::text) continue;
        EXPECT_EQ(row.parse(row.format(row.initial), row.name), row.initial) << row.name;
    }
}

TEST(OptionTable, TheOriginalsVariablesHaveTheirOldNames) {
    const std::vector<std::pair<std::string, std::string>> old{
        {"items_max", "MAX_BUFFER_SIZE"},
        {"age_max", "MAX_BUFFER_AGE"},
        {"cleanup_interval", "CLEANUP_INTERVAL"},
        {"attempts_max", "MAX_RETRIES"},
        {"pending_max", "MAX_ALERT_BATCH_AGE"},
        {"batch_items_due", "LOCATION_BATCH_THRESHOLD"},
        {"batch_linger", "BATCH_TIME_THRESHOLD_SECONDS"}};
    for (const auto& [name, variable] : old) {
        EXPECT_EQ(option_row(name, "test").variable_name(), variable);
    }
    EXPECT_EQ(option_row("backoff_base", "test").variable_name(), "BACKOFF_BASE");
}

TEST(OptionTable, EveryOptionIsSetByItsVariableAndByItsNameAlike) {
    for (const OptionRow& row : option_table()) {
        const std::string value = row.kind == OptionKind::text ? "Tag" : row.format(row.maximum);
        const std::string text = row.kind == OptionKind::word ? row.format(0) : value;
        const Variable variable("TABLE_" + row.variable_name(), text);
        const Options from_env = Options::from_env("TABLE_");
        Options by_name;
        by_name.set(row.name, text);
        EXPECT_EQ(get_option(from_env, row), get_option(by_name, row)) << row.name;
        EXPECT_TRUE(!row.in_file() || get_option(from_env, row).has_value()) << row.name;
        for (const OptionRow& other : option_table()) {
            if (!other.in_file() || other.name == row.name) continue;
            EXPECT_FALSE(get_option(from_env, other)) << other.name << " by " << row.name;
        }
    }
}

TEST(OptionTable, FromEnvTakesTheValuesOfTheOriginal) {
    const Variable size("MOONSHOT_MAX_BUFFER_SIZE", "1000");
    const Variable age("MOONSHOT_MAX_BUFFER_AGE", "3600");
    const Variable base("MOONSHOT_BACKOFF_BASE", "0.05");
    const Variable level("MOONSHOT_DURABILITY", "process_crash");
    const Variable lease("MOONSHOT_LEASE_TIME", "1.5");
    const Options options = Options::from_env("MOONSHOT_");
    EXPECT_EQ(options.items_max, 1000);
    EXPECT_EQ(options.age_max, Ms{3'600'000});
    EXPECT_EQ(options.backoff_base, Ms{50});
    EXPECT_EQ(options.durability, Durability::process_crash);
    EXPECT_EQ(options.lease_time, Ms{1'500});
    EXPECT_FALSE(options.bytes_max);
}

TEST(OptionTable, ABadVariableIsNamedWithItsValueAndWhatIsAllowed) {
    const std::vector<std::pair<std::string, std::string>> bad{
        {"MAX_BUFFER_SIZE", "lots"},
        {"MAX_BUFFER_SIZE", "0"},
        {"MAX_BUFFER_SIZE", "-5"},
        {"MAX_BUFFER_SIZE", ""},
        {"MAX_BUFFER_SIZE", "10.5"},
        {"MAX_BUFFER_SIZE", " 10"},
        {"MAX_BUFFER_SIZE", "99999999999999999999"},
        {"MAX_BUFFER_AGE", "1h"},
        {"MAX_BUFFER_AGE", "0"},
        {"MAX_BUFFER_AGE", "1."},
        {"MAX_BUFFER_AGE", ".5"},
        {"MAX_BUFFER_AGE", "nan"},
        {"MAX_BUFFER_AGE", "1e3"},
        {"OVERFLOW", "drop"},
        {"LOG_TAG", ""},
        {"LOG_TAG", "\xff"}};
    for (const auto& [name, value] : bad) {
        const Variable variable("BAD_" + name, value);
        const std::string what = misuse_of([] { (void)Options::from_env("BAD_"); });
        EXPECT_NE(what.find("BAD_" + name), std::string::npos) << what;
        EXPECT_NE(what.find("allowed:"), std::string::npos) << what;
        const std::string shown = value == "\xff" ? "'?'" : "'" + value + "'";
        EXPECT_NE(what.find(shown), std::string::npos) << what;
    }
}

TEST(OptionTable, SecondsHaveMillisecondResolution) {
    const OptionRow& row = option_row("backoff_base", "test");
    EXPECT_EQ(row.parse("0", "x"), 0);
    EXPECT_EQ(row.parse("1", "x"), 1'000);
    EXPECT_EQ(row.parse("0.05", "x"), 50);
    EXPECT_EQ(row.parse("12.345", "x"), 12'345);
    EXPECT_EQ(row.parse("12.3456789", "x"), 12'345);
    EXPECT_EQ(row.format(12'345), "12.345");
    EXPECT_EQ(row.format(50), "0.05");
    EXPECT_EQ(row.format(1'000), "1");
    EXPECT_EQ(row.format(1'200), "1.2");
}

TEST(OptionTable, OptionsSetInCodeAreCheckedToo) {
    Options options;
    EXPECT_NO_THROW(check_options(options));
    options.items_max = 0;
    EXPECT_NE(misuse_of([&] { check_options(options); }).find("items_max"), std::string::npos);
    options = {};
    options.overflow = static_cast<Overflow>(3);
    EXPECT_NE(misuse_of([&] { check_options(options); }).find("overflow"), std::string::npos);
    options = {};
    options.turn_timeout = Ms{0};
    EXPECT_NE(misuse_of([&] { check_options(options); }).find("turn_timeout"), std::string::npos);
    options = {};
    options.log_tag = std::string(41, 't');
    EXPECT_NE(misuse_of([&] { check_options(options); }).find("log_tag"), std::string::npos);
}

TEST(OptionTable, AnUnknownNameListsThoseThereAre) {
    Options options;
    const std::string what = misuse_of([&] { options.set("max_items", "1"); });
    EXPECT_NE(what.find("'max_items'"), std::string::npos);
    EXPECT_NE(what.find("items_max"), std::string::npos);
}

TEST(OptionTable, ALogTagSetByNameIsChecked) {
    Options options;
    options.set("log_tag", "News");
    EXPECT_EQ(options.log_tag, "News");
    misuse_of([&] { options.set("log_tag", ""); });
    misuse_of([&] { options.set("log_tag", "\xff"); });
}

TEST(OptionTable, SettingsOfTheFileAreReadWithDefaultsForWhatIsMissing) {
    const engine::Settings defaults = read_settings({});
    for (const OptionRow& row : option_table()) {
        EXPECT_TRUE(!row.in_file() || defaults.*row.setting == row.initial) << row.name;
    }
    const engine::Settings some =
        read_settings({option_row("items_max", "test").setting_row(7, 1, "me"),
                       option_row("overflow", "test").setting_row(2, 1, "me")});
    EXPECT_EQ(some.items_max, 7);
    EXPECT_EQ(some.overflow_policy(), Overflow::block);
}

TEST(OptionTable, ATimeThatTheShellWroteAsARealIsUnderstood) {
    store::SettingRow row = option_row("backoff_base", "test").setting_row(0, 1, "me");
    for (const auto& [text, raw] : {std::pair{"2.0", 2'000}, std::pair{"1.0e-02", 10},
                                    std::pair{"0.0015", 2}, std::pair{"3", 3'000}}) {
        row.value = text;
        EXPECT_EQ(read_settings({row}).backoff_base, raw) << text;
    }
    row.value = "1.0e+20";
    misuse_of([&] { (void)read_settings({row}); });
}

TEST(OptionTable, TheDocumentsRowsAreTheTablesRows) {
    const auto docs = option_docs();
    ASSERT_EQ(docs.size(), option_table().size());
    for (std::size_t i = 0; i < docs.size(); ++i) {
        const OptionRow& row = option_table()[i];
        EXPECT_EQ(docs[i].name, row.name);
        EXPECT_EQ(docs[i].variable, row.variable_name());
        EXPECT_EQ(docs[i].allowed, row.allowed());
        EXPECT_EQ(docs[i].in_file, row.in_file());
    }
}

}  // namespace
}  // namespace headpond
