// The map of keys against a multimap, with so few bits of hash that most keys collide.
#include "store/sqlite/key_map.h"

#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace headpond::test {
namespace {

using store::sqlite::KeyMap;

class KeyMapModel : public ::testing::TestWithParam<int> {
  protected:
    KeyMap map{7, GetParam()};
    std::map<std::int64_t, std::string> resident;  // what is so
    std::int64_t next_id = 1;

    void expect_found(const std::string& key) {
        bool there = false;
        for (const auto& [id, one] : resident) there |= one == key;
        const auto found = map.find(key, [&](std::int64_t id) -> std::optional<std::string_view> {
            const auto it = resident.find(id);
            if (it == resident.end()) return std::nullopt;
            return it->second;
        });
        ASSERT_EQ(found.has_value(), there) << key;
        if (found) {
            ASSERT_EQ(resident.at(*found), key);
        }
    }
};

TEST_P(KeyMapModel, EachAnswerIsRight) {
    std::mt19937_64 random(11);
    for (int step = 0; step < 20'000; ++step) {
        const std::string key = "key-" + std::to_string(random() % 60);
        switch (random() % 6) {
            case 0:
            case 1:
                map.add(key, next_id);
                map.add(key, next_id);  // twice is once
                resident[next_id++] = key;
                break;
            case 2:  // leaves untold
                if (!resident.empty()) {
                    auto it = resident.begin();
                    std::advance(it, static_cast<std::ptrdiff_t>(random() % resident.size()));
                    resident.erase(it);
                }
                break;
            case 3:
                if (random() % 3 == 0) map.put_back();
                if (random() % 9 == 0) map.let_go();
                if (random() % 50 == 0 && !resident.empty()) {
                    map.forget_below(resident.begin()->first);
                }
                break;
            default:
                expect_found(key);
                break;
        }
        while (resident.size() > 200) resident.erase(resident.begin());
    }
}

INSTANTIATE_TEST_SUITE_P(HashBits, KeyMapModel, ::testing::Values(0, 2, 5, 64));

TEST(KeyMap, ForgetsWhatEnteredBefore) {
    KeyMap map(1);
    for (std::int64_t id = 1; id <= 500; ++id) map.add("key-" + std::to_string(id), id);
    EXPECT_EQ(map.size(), 500U);
    map.forget_below(401);
    EXPECT_EQ(map.size(), 100U);
    EXPECT_FALSE(map.find("key-400", [](std::int64_t) { return "key-400"; }));
    EXPECT_EQ(map.find("key-401", [](std::int64_t) { return "key-401"; }), 401);
}

TEST(KeyMap, TakesOutWhatHasLeft) {
    KeyMap map(1);
    map.add("a", 1);
    map.add("a", 2);
    const auto second_alone = [](std::int64_t id) -> std::optional<std::string_view> {
        if (id != 2) return std::nullopt;
        return "a";
    };
    EXPECT_EQ(map.find("a", second_alone), 2);
    EXPECT_EQ(map.size(), 1U);
    // After a rollback the id went to another key.
    EXPECT_FALSE(map.find("a", [](std::int64_t) { return "b"; }));
    EXPECT_EQ(map.size(), 0U);
}

TEST(KeyMap, GrowsAndKeepsAll) {
    KeyMap map(3);
    const std::size_t before = map.capacity();
    for (std::int64_t id = 1; id <= 100'000; ++id) {
        map.add(std::to_string(id * 7919), id);
    }
    EXPECT_GT(map.capacity(), before);
    EXPECT_LE(map.capacity() * 16, 100'000U * 64U);  // bytes
    for (std::int64_t id = 1; id <= 100'000; ++id) {
        const std::string key = std::to_string(id * 7919);
        std::string found;
        const auto key_of = [&](std::int64_t one) -> std::optional<std::string_view> {
            found = std::to_string(one * 7919);
            return found;
        };
        ASSERT_EQ(map.find(key, key_of), id);
    }
}

}  // namespace
}  // namespace headpond::test
