// The house style, as far as a program can see it. Approximations by lines and braces: clang-format
// keeps the layout that they rely on.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headpond::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t columns_max = 100;
constexpr std::size_t function_lines_max = 70;
constexpr std::size_t file_lines_max = 600;

struct Source {
    std::string name;  // from the top of the tree
    std::vector<std::string> lines;

    [[nodiscard]] bool in(std::string_view folder) const { return name.starts_with(folder); }
    [[nodiscard]] bool header() const { return name.ends_with(".h"); }
};

std::vector<Source> read_sources() {
    std::vector<Source> sources;
    const fs::path top = HEADPOND_SOURCE_DIR;
    for (const char* folder : {"src", "include", "tools", "tests"}) {
        for (const auto& entry : fs::recursive_directory_iterator(top / folder)) {
            const auto extension = entry.path().extension();
            if (extension != ".h" && extension != ".cpp") continue;
            Source source{.name = fs::relative(entry.path(), top).string()};
            std::ifstream file(entry.path());
            for (std::string line; std::getline(file, line);) source.lines.push_back(line);
            sources.push_back(std::move(source));
        }
    }
    return sources;
}

const std::vector<Source>& sources() {
    static const std::vector<Source> all = read_sources();
    return all;
}

std::string place(const Source& source, std::size_t index) {
    return source.name + ":" + std::to_string(index + 1);
}

std::size_t width(const std::string& line) {
    std::size_t count = 0;
    for (const char c : line) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80 ? 1 : 0;
    return count;
}

// --- code without what is no code ----------------------------------------------------------------

// Blanks comments, strings and characters, so that words and braces in them don't count. Keeps the
// state of raw strings and block comments from line to line.
class Stripper {
  public:
    std::string strip(const std::string& line) {
        std::string code;
        std::size_t at = 0;
        while (at < line.size()) {
            if (!raw_end_.empty()) {
                at = skip_to(line, at, raw_end_, raw_end_);
            } else if (in_comment_) {
                std::string end = "*/";
                at = skip_to(line, at, end, end);
                in_comment_ = !end.empty();
            } else if (line.compare(at, 2, "//") == 0) {
                break;
            } else if (line.compare(at, 2, "/*") == 0) {
                in_comment_ = true;
                at += 2;
            } else if (line.compare(at, 2, "R\"") == 0 && !part_of_word(line, at)) {
                const std::size_t open = line.find('(', at);
                if (open == std::string::npos) break;
                raw_end_ = ")" + line.substr(at + 2, open - at - 2) + "\"";
                at = open + 1;
            } else if (line[at] == '"' || (line[at] == '\'' && !part_of_word(line, at))) {
                at = behind_literal(line, at);
            } else {
                code += line[at++];
            }
        }
        return code;
    }

  private:
    // A digit separator, as in 1'000.
    static bool part_of_word(const std::string& line, std::size_t at) {
        return at > 0 && std::isalnum(static_cast<unsigned char>(line[at - 1])) != 0;
    }
    static std::size_t skip_to(const std::string& line, std::size_t at, const std::string& what,
                               std::string& pending) {
        const std::size_t found = line.find(what, at);
        if (found == std::string::npos) return line.size();
        const std::size_t behind = found + what.size();
        pending.clear();
        return behind;
    }
    static std::size_t behind_literal(const std::string& line, std::size_t at) {
        const char quote = line[at++];
        while (at < line.size() && line[at] != quote) at += line[at] == '\\' ? 2 : 1;
        return std::min(at + 1, line.size());
    }

    std::string raw_end_;
    bool in_comment_ = false;
};

std::vector<std::string> code_of(const Source& source) {
    std::vector<std::string> code;
    Stripper stripper;
    bool directive = false;  // of the preprocessor, with the lines that continue it
    for (const std::string& line : source.lines) {
        directive |= line.starts_with("#");
        code.push_back(directive ? std::string{} : stripper.strip(line));
        directive &= line.ends_with("\\");
    }
    return code;
}

// Each match of `word` in the code of the sources that `applies` to.
template <class Applies>
std::vector<std::string> found(const std::string& word, Applies applies) {
    const std::regex pattern(word);
    std::vector<std::string> places;
    for (const Source& source : sources()) {
        if (!applies(source)) continue;
        const auto code = code_of(source);
        for (std::size_t i = 0; i < code.size(); ++i) {
            if (std::regex_search(code[i], pattern)) {
                places.push_back(place(source, i) + ": " + source.lines[i]);
            }
        }
    }
    return places;
}

// The files that include something that `word` matches, which `applies` forbids.
template <class Applies>
std::vector<std::string> included(const std::string& word, Applies applies) {
    const std::regex pattern("^\\s*#\\s*include\\s*[<\"](" + word + ")[>\"]");
    std::vector<std::string> places;
    for (const Source& source : sources()) {
        if (!applies(source)) continue;
        for (std::size_t i = 0; i < source.lines.size(); ++i) {
            if (std::regex_search(source.lines[i], pattern)) {
                places.push_back(place(source, i) + ": " + source.lines[i]);
            }
        }
    }
    return places;
}

using ::testing::IsEmpty;

// --- layout --------------------------------------------------------------------------------------

TEST(Tidy, TheTreeIsFound) {
    EXPECT_GT(sources().size(), 60U);
    std::set<std::string> names;
    for (const Source& source : sources()) names.insert(source.name);
    for (const char* name :
         {"src/core.cpp", "include/headpond/queue.h", "tests/tidy/tidy_test.cpp"}) {
        EXPECT_TRUE(names.contains(name)) << name;
    }
}

TEST(Tidy, LinesHaveAtMost100Columns) {
    for (const Source& source : sources()) {
        for (std::size_t i = 0; i < source.lines.size(); ++i) {
            EXPECT_LE(width(source.lines[i]), columns_max) << place(source, i);
        }
    }
}

TEST(Tidy, LinesEndCleanly) {
    for (const Source& source : sources()) {
        for (std::size_t i = 0; i < source.lines.size(); ++i) {
            const std::string& line = source.lines[i];
            EXPECT_EQ(line.find('\t'), std::string::npos) << place(source, i) << ": a tab";
            EXPECT_FALSE(line.ends_with(' ') || line.ends_with('\r'))
                << place(source, i) << ": a space at the end";
        }
    }
}

TEST(Tidy, FilesHaveAtMost600Lines) {
    for (const Source& source : sources()) {
        EXPECT_LE(source.lines.size(), file_lines_max) << source.name;
    }
}

struct Function {
    std::size_t first = 0, last = 0;  // indices of lines
};

// A block whose opening line is no namespace, class, struct, union, enum or initializer, and that
// is in no such block itself.
std::vector<Function> functions_of(const std::vector<std::string>& code) {
    static const std::regex container(
        R"(^\s*(inline\s+)?(namespace|class|struct|union|enum|extern|template|typedef)\b)");
    static const std::regex initializer(R"((=|return|constexpr[^(]*)\s*\{?$|= *\{)");
    struct Block {
        bool function;
        std::size_t first;
    };
    std::vector<Block> open;
    std::vector<Function> functions;
    std::size_t begun = 0;  // line where the current declaration begins
    for (std::size_t i = 0; i < code.size(); ++i) {
        for (const char c : code[i]) {
            if (c == ';' || c == '}') {
                if (c == '}' && !open.empty()) {
                    if (open.back().function) functions.push_back({open.back().first, i});
                    open.pop_back();
                }
                begun = i + 1;
            } else if (c == '{') {
                const std::string& head = code[std::min(begun, i)];
                const bool inside = std::any_of(open.begin(), open.end(),
                                                [](const Block& block) { return block.function; });
                std::string all;
                for (std::size_t k = begun; k <= i && k < code.size(); ++k) all += code[k];
                const bool calls = all.find('(') != std::string::npos;
                open.push_back({!inside && calls && !std::regex_search(head, container) &&
                                    !std::regex_search(all, initializer),
                                std::min(begun, i)});
                begun = i + 1;
            }
        }
    }
    return functions;
}

TEST(Tidy, FunctionsHaveAtMost70Lines) {
    std::size_t seen = 0;
    for (const Source& source : sources()) {
        for (const Function& function : functions_of(code_of(source))) {
            ++seen;
            EXPECT_LE(function.last - function.first + 1, function_lines_max)
                << place(source, function.first) << ": " << source.lines[function.first];
        }
    }
    EXPECT_GT(seen, 500U) << "the search for functions finds too few to be right";
}

TEST(Tidy, TheSearchForFunctionsFindsThem) {
    const std::vector<std::string> code{"namespace a {",
                                        "struct B {",
                                        "    int f() {",
                                        "        return g([] {",
                                        "            return 1;",
                                        "        });",
                                        "    }",
                                        "};",
                                        "constexpr int table[] = {",
                                        "    1, 2,",
                                        "};",
                                        "int long_name(int first,",
                                        "              int second) {",
                                        "    return first;",
                                        "}",
                                        "}"};
    const auto functions = functions_of(code);
    ASSERT_EQ(functions.size(), 2U);
    EXPECT_EQ(functions[0].first, 2U);
    EXPECT_EQ(functions[0].last, 6U);
    EXPECT_EQ(functions[1].first, 11U);
    EXPECT_EQ(functions[1].last, 14U);
}

// --- borders -------------------------------------------------------------------------------------

// Tests look at files with SQLite's own interface, and the ingest tool keeps its guest table.
TEST(Tidy, SqliteStaysBehindTheStore) {
    EXPECT_THAT(included("sqlite3\\.h|SQLiteCpp/.*",
                         [](const Source& source) {
                             return !source.in("src/store/sqlite/") && !source.in("tests/") &&
                                    !source.in("tools/");
                         }),
                IsEmpty());
    EXPECT_THAT(included("sqlite3\\.h|SQLiteCpp/.*",
                         [](const Source& source) {
                             return source.in("tools/") && !source.in("tools/ingest/") &&
                                    !source.in("tools/benchmark/");
                         }),
                IsEmpty());
}

TEST(Tidy, PublicHeadersNameNoLibrary) {
    EXPECT_THAT(found("SQLite::|spdlog|nlohmann|sqlite3_",
                      [](const Source& source) { return source.in("include/"); }),
                IsEmpty());
    EXPECT_THAT(included("(store|engine|runtime|platform)/.*|core\\.h",
                         [](const Source& source) { return source.in("include/"); }),
                IsEmpty());
}

TEST(Tidy, LinuxStaysInThePlatform) {
    EXPECT_THAT(included("unistd\\.h|fcntl\\.h|poll\\.h|pthread\\.h|signal\\.h|dirent\\.h|"
                         "linux/.*|sys/.*|time\\.h",
                         [](const Source& source) {
                             return source.in("src/") && !source.in("src/platform/");
                         }),
                IsEmpty());
}

TEST(Tidy, TheEngineHasNoClockChanceThreadOrStoreOfItsOwn) {
    const auto engine = [](const Source& source) { return source.in("src/engine/"); };
    EXPECT_THAT(found("(system|steady|high_resolution)_clock::now|std::time\\b|random_device|"
                      "mt19937|\\brand\\(|getenv|std::(jthread|thread|mutex|condition_variable|"
                      "atomic)\\b|sleep_for",
                      engine),
                IsEmpty());
    EXPECT_THAT(included("thread|mutex|condition_variable|random|store/sqlite/.*|platform/.*|"
                         "runtime/.*|core\\.h",
                         engine),
                IsEmpty());
}

TEST(Tidy, TheStoreKnowsNoEngine) {
    EXPECT_THAT(included("(engine|runtime|platform)/.*|core\\.h",
                         [](const Source& source) { return source.in("src/store/"); }),
                IsEmpty());
}

// --- habits --------------------------------------------------------------------------------------

TEST(Tidy, NoTestIsSwitchedOff) {
    // Spelled apart, so that this file passes its own test.
    const std::string words = std::string("DISABLED") + "_|GTEST_" + "SKIP|WILL_" + "FAIL";
    EXPECT_THAT(found(words, [](const Source&) { return true; }), IsEmpty());
    const fs::path top = HEADPOND_SOURCE_DIR;
    for (const auto& entry : fs::recursive_directory_iterator(top / "tests")) {
        if (entry.path().filename() != "CMakeLists.txt") continue;
        std::ifstream file(entry.path());
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        EXPECT_FALSE(std::regex_search(text, std::regex(words))) << entry.path();
    }
}

// A gate of the reliability suite runs for a time, or strikes at a random one, and the desk's day
// has a pace; neither waits for anything by sleeping.
TEST(Tidy, TestsDoNotSleep) {
    EXPECT_THAT(found("sleep_for|sleep_until|\\bu?sleep\\(|nanosleep",
                      [](const Source& source) {
                          const bool gate =
                              source.in("tests/reliability/") && source.name.ends_with("_gate.cpp");
                          return source.in("tests/") && !gate && !source.in("tests/desk/");
                      }),
                IsEmpty());
}

TEST(Tidy, NothingIsLeftForLater) {
    const std::regex later(std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X|HA" + "CK)\\b");
    for (const Source& source : sources()) {
        for (std::size_t i = 0; i < source.lines.size(); ++i) {
            EXPECT_FALSE(std::regex_search(source.lines[i], later)) << place(source, i);
        }
    }
}

TEST(Tidy, NoCatchSwallows) {
    for (const Source& source : sources()) {
        const auto code = code_of(source);
        for (std::size_t i = 0; i < code.size(); ++i) {
            if (code[i].find("catch (...)") == std::string::npos) continue;
            std::string rest = code[i].substr(code[i].find("catch (...)") + 11);
            if (i + 1 < code.size()) rest += code[i + 1];
            rest.erase(std::remove(rest.begin(), rest.end(), ' '), rest.end());
            EXPECT_FALSE(rest.starts_with("{}")) << place(source, i);
        }
    }
}

TEST(Tidy, HeadersSayWhatTheyAreAndAreReadOnce) {
    for (const Source& source : sources()) {
        if (!source.header()) continue;
        ASSERT_FALSE(source.lines.empty()) << source.name;
        const bool says = source.lines.front().starts_with("// ");
        const bool tells_itself = source.name.ends_with("/export.h") ||
                                  source.name.ends_with("/version.h") ||
                                  source.name.ends_with("/headpond.h");
        EXPECT_TRUE(says || tells_itself) << source.name << " begins without a comment";
        EXPECT_EQ(std::count(source.lines.begin(), source.lines.end(), "#pragma once"), 1)
            << source.name;
    }
}

// x_test.cpp beside a header x.h claims to be its mirror: it includes it, or for a public header
// the whole of them, itself or by the fixture.
TEST(Tidy, TestsMirrorTheSourcesTheyAreNamedAfter) {
    std::size_t mirrors = 0;
    for (const Source& test : sources()) {
        if (!test.in("tests/") || !test.name.ends_with("_test.cpp")) continue;
        const std::string stem = fs::path(test.name).stem().string();
        const std::string header = stem.substr(0, stem.size() - 5) + ".h";
        const auto is_header = [&](const Source& source) {
            return !source.in("tests/") && fs::path(source.name).filename() == header;
        };
        if (std::none_of(sources().begin(), sources().end(), is_header)) continue;
        ++mirrors;
        const bool is_public =
            fs::exists(fs::path(HEADPOND_SOURCE_DIR) / "include/headpond" / header);
        const auto includes = [&](const std::string& line) {
            const auto has = [&](const std::string& name) {
                return line.find(name) != std::string::npos;
            };
            return line.starts_with("#include") &&
                   (has("/" + header) || has("\"" + header) ||
                    (is_public && (has("headpond/headpond.h") || has("queue_fixture.h"))));
        };
        EXPECT_TRUE(std::any_of(test.lines.begin(), test.lines.end(), includes))
            << test.name << " does not include " << header;
    }
    EXPECT_GT(mirrors, 5U);
}

TEST(Tidy, EveryTestFileIsATest) {
    for (const Source& source : sources()) {
        if (!source.in("tests/") || !source.name.ends_with("_test.cpp")) continue;
        const bool tests =
            std::any_of(source.lines.begin(), source.lines.end(), [](const std::string& line) {
                return line.starts_with("TEST") || line.starts_with("TYPED_TEST");
            });
        EXPECT_TRUE(tests) << source.name;
    }
}

}  // namespace
}  // namespace headpond::test
