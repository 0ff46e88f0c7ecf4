#include "feed/uuid.h"

#include <set>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

// Computed by Python's uuid module: uuid5(uuid5(NAMESPACE_DNS, "headpond.alerts"), name).
TEST(Uuid, IsThatOfTheStandard) {
    EXPECT_EQ(alert_uuid("wire", "Flood in Valparaíso", "https://example.org/1"),
              "cff59598-231c-581d-8e1c-76e68a58e015");
    EXPECT_EQ(alert_uuid("", "", ""), "b8fa4fa2-d61f-53ad-b185-8bffd35d784c");
}

TEST(Uuid, HasVersion5AndTheRfcVariant) {
    for (const char* title : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
        const std::string uuid = alert_uuid("s", title, "l");
        ASSERT_EQ(uuid.size(), 36U);
        EXPECT_EQ(uuid[14], '5');
        EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
    }
}

TEST(Uuid, TellsThePartsApart) {
    const std::set<std::string> uuids = {alert_uuid("ab", "c", "d"), alert_uuid("a", "bc", "d"),
                                         alert_uuid("a", "b", "cd"), alert_uuid("abcd", "", ""),
                                         alert_uuid("", "abcd", ""), alert_uuid("", "", "abcd")};
    EXPECT_EQ(uuids.size(), 6U);
}

}  // namespace
}  // namespace headpond::ingest
