// README's table of options is the option table.
#include <headpond/options.h>

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace headpond::test {
namespace {

std::string expected_table() {
    std::ostringstream out;
    out << "| option | variable, after the prefix | default | allowed | what | where |\n"
           "|---|---|---|---|---|---|\n";
    for (const OptionDoc& doc : option_docs()) {
        out << "| `" << doc.name << "` | " << doc.variable << " | " << doc.default_value
            << (doc.unit.empty() ? "" : " ") << doc.unit << " | " << doc.allowed << " | "
            << doc.about << " | " << (doc.in_file ? "file" : "process") << " |\n";
    }
    return out.str();
}

TEST(Readme, ItsTableOfOptionsIsTheOptionTable) {
    std::ifstream file(HEADPOND_SOURCE_DIR "/README.md");
    std::stringstream text;
    text << file.rdbuf();
    const std::string readme = text.str();
    EXPECT_NE(readme.find(expected_table()), std::string::npos)
        << "README.md should hold this table:\n"
        << expected_table();
}

}  // namespace
}  // namespace headpond::test
