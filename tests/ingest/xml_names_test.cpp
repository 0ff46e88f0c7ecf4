#include "feed/xml_names.h"

#include <string>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

class Names : public testing::Test {
  protected:
    // The name of the first child of the root.
    Name first_child_of(const std::string& xml) {
        EXPECT_TRUE(document_.load_string(xml.c_str()));
        const Scope scope(nullptr, document_.document_element());
        return name_in(scope, document_.document_element().first_child());
    }

    pugi::xml_document document_;
};

TEST_F(Names, PrefixIsResolvedByItsAddress) {
    const Name name = first_child_of("<r xmlns:x='http://www.georss.org/georss'><x:point/></r>");
    EXPECT_TRUE(name.is(Space::georss, "point"));
}

TEST_F(Names, AddressMayBeWrittenLoosely) {
    for (const char* uri :
         {"http://www.w3.org/2003/01/geo/wgs84_pos#", "https://www.w3.org/2003/01/geo/wgs84_pos#",
          "http://www.w3.org/2003/01/geo/wgs84_pos/"}) {
        EXPECT_TRUE(first_child_of("<r xmlns:x='" + std::string(uri) + "'><x:lat/></r>")
                        .is(Space::geo, "lat"))
            << uri;
    }
}

TEST_F(Names, InnermostDeclarationCounts) {
    const Name name = first_child_of(
        "<r xmlns='http://www.w3.org/2005/Atom'><title xmlns='http://purl.org/rss/1.0/'/></r>");
    EXPECT_TRUE(name.is(Space::rss1, "title"));
    EXPECT_TRUE(first_child_of("<r xmlns='urn:x'><title xmlns=''/></r>").is(Space::none, "title"));
}

TEST_F(Names, ForeignPrefixIsOther) {
    EXPECT_EQ(first_child_of("<r xmlns:geo='urn:mine'><geo:lat/></r>").space, Space::other);
    EXPECT_EQ(first_child_of("<r><unheard:of/></r>").space, Space::other);
    EXPECT_TRUE(first_child_of("<r><geo:lat/></r>").is(Space::geo, "lat")) << "customary prefix";
}

TEST_F(Names, DeclarationsOfAnElementAreBounded) {
    std::string root = "<r";
    for (std::size_t i = 1; i < Scope::bindings_max; ++i) {
        root += " xmlns:n" + std::to_string(i) + "='u'";
    }
    const std::string last = " xmlns:last='http://www.georss.org/georss'";
    EXPECT_EQ(first_child_of(root + last + "><last:point/></r>").space, Space::georss);
    EXPECT_EQ(first_child_of(root + " xmlns:more='u'" + last + "><last:point/></r>").space,
              Space::other);
}

}  // namespace
}  // namespace headpond::ingest
