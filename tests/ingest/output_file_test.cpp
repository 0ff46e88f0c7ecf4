#include "output/output_file.h"

#include "support/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

namespace headpond::ingest {
namespace {

namespace fs = std::filesystem;

class OutputFile : public testing::Test {
  protected:
    OutputFile() : path((dir / "out").string()) {}

    static std::string content(const fs::path& file) {
        std::ifstream in(file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void replace(const std::string& text) {
        replace_file(path, [&](std::ostream& out) { out << text; });
    }
    // What the refusal says.
    std::string refusal() {
        try {
            replace("new");
        } catch (const std::exception& error) {
            return error.what();
        }
        return "none";
    }

    test::TempDir dir;
    std::string path;
};

TEST_F(OutputFile, IsTheOldOneUntilTheNewOneIsWhole) {
    replace("one");
    replace_file(path, [&](std::ostream& out) {
        out << "two" << std::flush;
        EXPECT_EQ(content(path), "one");
    });
    EXPECT_EQ(content(path), "two");
    EXPECT_FALSE(fs::exists(path + ".new"));
}

TEST_F(OutputFile, AFailureLeavesTheOldOne) {
    replace("one");
    EXPECT_THROW(replace_file(path,
                              [](std::ostream& out) {
                                  out << "half";
                                  throw std::runtime_error("no more rows");
                              }),
                 std::runtime_error);
    EXPECT_THROW(replace_file(path, [](std::ostream& out) { out.setstate(std::ios::badbit); }),
                 std::runtime_error);
    EXPECT_EQ(content(path), "one");
    EXPECT_FALSE(fs::exists(path + ".new"));
}

// As a full disk: what is written fails when some of it is there.
TEST_F(OutputFile, NoRoomForAllOfItLeavesTheOldOne) {
    replace("one");
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{.rlim_cur = 64 * 1024, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    EXPECT_THROW(replace(std::string(1'000'000, 'x')), std::runtime_error);
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ::signal(SIGXFSZ, handler);
    EXPECT_EQ(content(path), "one");
    EXPECT_FALSE(fs::exists(path + ".new"));
}

TEST_F(OutputFile, WhatAKilledProcessLeftBehindIsInNobodysWay) {
    std::ofstream(path + ".new") << "a longer half of some text";
    replace("one");
    EXPECT_EQ(content(path), "one");
}

TEST_F(OutputFile, OfTwoWritersAtOnceOneIsRefused) {
    replace_file(path, [&](std::ostream& out) {
        out << "first";
        EXPECT_EQ(refusal(), "another process is writing it");
    });
    EXPECT_EQ(content(path), "first");
    EXPECT_EQ(refusal(), "none");
}

TEST_F(OutputFile, ALinkKeepsItsPlace) {
    fs::create_symlink("file", path);
    replace("one");
    EXPECT_TRUE(fs::is_symlink(path));
    EXPECT_EQ(content(dir / "file"), "one");
    EXPECT_EQ(target_of(path), dir / "file");
}

TEST_F(OutputFile, WhereNoFileMayBeMadeTheReasonIsSaid) {
    path = (dir / "none" / "out").string();
    EXPECT_EQ(refusal(), "No such file or directory");
    path = "/dev/full";
    EXPECT_EQ(refusal(), "No space left on device");
}

}  // namespace
}  // namespace headpond::ingest
