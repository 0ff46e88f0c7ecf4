// Rule 16: limits live in the file.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

class Rule16Settings : public QueueTest {
  protected:
    static Setting setting(Queue& queue, std::string_view name) {
        for (const auto& one : Admin(queue).settings()) {
            if (one.name == name) return one;
        }
        ADD_FAILURE() << "no setting " << name;
        return {};
    }
};

TEST_F(Rule16Settings, ANewFileHasEveryOptionOfTheFileWithItsDefault) {
    Queue queue(options());
    std::set<std::string> names;
    for (const auto& one : Admin(queue).settings()) names.insert(one.name);
    for (const OptionDoc& doc : option_docs()) {
        EXPECT_EQ(names.contains(std::string(doc.name)), doc.in_file) << doc.name;
        if (!doc.in_file) continue;
        const Setting one = setting(queue, doc.name);
        EXPECT_EQ(one.value, doc.default_value) << doc.name;
        EXPECT_EQ(one.unit, doc.unit) << doc.name;
        EXPECT_EQ(one.allowed, doc.allowed) << doc.name;
        EXPECT_FALSE(one.changed_by.empty()) << doc.name;
    }
    expect_sound(queue);
}

TEST_F(Rule16Settings, AnEmptyOptionalMeansTheFilesValueAndOneThatIsSetIsWritten) {
    {
        Options first = options();
        first.items_max = 77;
        first.age_max = Ms{1'500};
        first.overflow = Overflow::refuse;
        const Queue queue(first);
    }
    {
        Options second = options();
        second.attempts_max = 9;
        Queue queue(second);
        EXPECT_EQ(queue.options().items_max, 77);
        EXPECT_EQ(queue.options().age_max, Ms{1'500});
        EXPECT_EQ(queue.options().overflow, Overflow::refuse);
        EXPECT_EQ(queue.options().attempts_max, 9);
    }
    Queue queue(options());
    EXPECT_EQ(queue.options().attempts_max, 9);
    RawDatabase raw(dir / "queue.db");
    EXPECT_EQ(raw.text("SELECT value || unit FROM settings WHERE name = 'age_max'"), "1.5s");
    EXPECT_EQ(raw.text("SELECT typeof(value) FROM settings WHERE name = 'items_max'"), "integer");
    expect_sound(queue);
}

TEST_F(Rule16Settings, EachChangeIsLoggedAndRecorded) {
    { const Queue queue(options()); }
    lines.clear();
    Options changed = options();
    changed.items_max = 77;
    changed.bytes_max = 64 << 20;  // as it was
    changed.age_max = Ms{1'500};
    changed.label = "deploy 2";
    clock->advance(Ms{5'000});
    Queue queue(changed);
    EXPECT_TRUE(logged("[Moonshot] Setting items_max: 1000 -> 77"));
    EXPECT_TRUE(logged("[Moonshot] Setting age_max: 3600 -> 1.5"));
    EXPECT_EQ(lines.size(), 2U);
    EXPECT_EQ(setting(queue, "items_max").changed_by, "deploy 2");
    EXPECT_EQ(setting(queue, "items_max").changed_at, clock->wall());
    EXPECT_NE(setting(queue, "bytes_max").changed_by, "deploy 2");
    expect_sound(queue);
}

TEST_F(Rule16Settings, AnotherQueueSeesAChangeAtOnce) {
    Queue queue(options());
    Queue other(options());
    put(other, {"a", "b", "c"});
    Admin(queue).set("batch_items_max", "2", "ops");
    EXPECT_EQ(other.lease()->items().size(), 2U);
    EXPECT_EQ(other.options().batch_items_max, 2);
    EXPECT_TRUE(logged("[Moonshot] Setting batch_items_max: 25 -> 2"));
    EXPECT_EQ(setting(other, "batch_items_max").changed_by, "ops");
    expect_sound(queue);
}

TEST_F(Rule16Settings, AValueAsItWasIsNoChange) {
    Queue queue(options());
    Admin(queue).set("age_max", "90", "ops");
    const Setting before = setting(queue, "age_max");
    lines.clear();
    clock->advance(Ms{5'000});
    RawDatabase raw(dir / "queue.db");
    const auto version = raw.data_version();
    Admin(queue).set("age_max", "90", "somebody");
    Admin(queue).set("age_max", "90.0", "somebody");
    Admin(queue).set("keys", "unique", "somebody");
    EXPECT_EQ(setting(queue, "age_max").changed_at, before.changed_at);
    EXPECT_EQ(setting(queue, "age_max").changed_by, "ops");
    EXPECT_EQ(raw.data_version(), version) << "nothing was written";
    EXPECT_TRUE(lines.empty()) << lines.front();
    Admin(queue).set("age_max", "91", "somebody");
    EXPECT_EQ(setting(queue, "age_max").changed_by, "somebody");
    expect_sound(queue);
}

TEST_F(Rule16Settings, AShellEditTakesEffectAndIsMarkedByHand) {
    Queue queue(options());
    RawDatabase raw(dir / "queue.db");
    raw.exec("UPDATE settings SET value = 2 WHERE name = 'items_max'");
    put(queue, {"a", "b", "c"});
    EXPECT_EQ(resident(queue), (std::vector<std::string>{"b", "c"}));
    raw.exec("UPDATE settings SET value = 0.25 WHERE name = 'batch_linger'");
    raw.exec("UPDATE settings SET value = 'refuse' WHERE name = 'overflow'");
    EXPECT_EQ(queue.options().batch_linger, Ms{250});
    EXPECT_EQ(put(queue, {"d"}), std::vector{Enqueued::refused});
    EXPECT_EQ(setting(queue, "items_max").changed_by, "by hand");
    EXPECT_EQ(setting(queue, "items_max").value, "2");
    expect_sound(queue);
}

TEST_F(Rule16Settings, ABadShellEditIsRefusedByTheTable) {
    Queue queue(options());
    RawDatabase raw(dir / "queue.db");
    for (const char* bad :
         {"value = 0 WHERE name = 'items_max'", "value = -1 WHERE name = 'items_max'",
          "value = 2000000000 WHERE name = 'items_max'", "value = 1.5 WHERE name = 'items_max'",
          "value = 'many' WHERE name = 'items_max'", "value = NULL WHERE name = 'items_max'",
          "value = '7' WHERE name = 'age_max'", "value = 99999999 WHERE name = 'age_max'",
          "value = 'sometimes' WHERE name = 'overflow'", "value = '' WHERE name = 'overflow'",
          "value = 'refuse|block' WHERE name = 'overflow'", "value = 1 WHERE name = 'overflow'"}) {
        EXPECT_NE(raw.try_exec(std::string("UPDATE settings SET ") + bad), SQLITE_OK) << bad;
    }
    EXPECT_NE(raw.try_exec("DELETE FROM settings WHERE name = 'items_max'"), SQLITE_OK);
    EXPECT_EQ(queue.options().items_max, 1000);
    expect_sound(queue);
}

TEST_F(Rule16Settings, AValueThatIsNotAllowedIsMisuseThatNamesItAndWhatIs) {
    Queue queue(options());
    const std::vector<std::pair<std::string, std::string>> bad{
        {"items_max", "0"},   {"items_max", "ten"},  {"items_max", "1e3"}, {"items_max", ""},
        {"age_max", "-1"},    {"age_max", "1.5.2"},  {"overflow", "drop"}, {"keys", "UNIQUE"},
        {"lease_time", "60"}, {"no_such_name", "1"}, {"path", "x"}};
    for (const auto& [name, value] : bad) {
        try {
            Admin(queue).set(name, value, "test");
            ADD_FAILURE() << name << " = " << value;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::misuse);
            EXPECT_NE(error.message().find(name), std::string::npos) << error.what();
            EXPECT_NE(error.message().find("allowed:"), std::string::npos) << error.what();
        }
    }
    Options wrong = options();
    wrong.items_max = 0;
    EXPECT_THROW(Queue{wrong}, Error);
    wrong = options();
    wrong.lease_time = Ms{0};
    EXPECT_THROW(Queue{wrong}, Error);
    wrong = options();
    wrong.log_tag = "";
    EXPECT_THROW(Queue{wrong}, Error);
    expect_sound(queue);
}

TEST_F(Rule16Settings, FromEnvSetsOnlyWhatIsPresentSoThatTheFileKeepsTheRest) {
    {
        Options first = options();
        first.items_max = 77;
        const Queue queue(first);
    }
    setenv("RULE16_MAX_BUFFER_AGE", "12.5", 1);
    Options given = Options::from_env("RULE16_");
    unsetenv("RULE16_MAX_BUFFER_AGE");
    EXPECT_FALSE(given.items_max);
    EXPECT_EQ(given.age_max, Ms{12'500});
    given.path = dir / "queue.db";
    given.clock = clock;
    given.log = options().log;
    Queue queue(given);
    EXPECT_EQ(queue.options().items_max, 77);
    EXPECT_EQ(queue.options().age_max, Ms{12'500});
    expect_sound(queue);
}

TEST_F(Rule16Settings, DurabilityLeaseTimeLogTagAndTimeoutsBelongToTheProcess) {
    Options one = options();
    one.durability = Durability::power_loss;
    one.lease_time = Ms{1'234};
    one.log_tag = "Mine";
    one.turn_timeout = Ms{4'321};
    Queue queue(one);
    Queue other(options());
    EXPECT_EQ(queue.options().lease_time, Ms{1'234});
    EXPECT_EQ(other.options().lease_time, Ms{60'000});
    EXPECT_EQ(other.options().durability, Durability::process_crash);
    EXPECT_EQ(other.options().log_tag, "Moonshot");
    EXPECT_EQ(other.options().turn_timeout, Ms{5'000});
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
