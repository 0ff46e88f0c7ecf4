#include "feed/bounded_read.h"

#include "feed/feed_error.h"
#include "support/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace headpond::ingest {
namespace {

using std::string_literals::operator""s;

class BoundedRead : public testing::Test {
  protected:
    std::string file(const std::string& content) const {
        const std::string path = directory_ + "/feed.xml";
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }

    test::TempDir folder_;
    const std::string directory_ = folder_.path().string();
};

std::string error_of(const std::string& path, std::size_t bytes_max = 100) {
    try {
        return "read " + std::to_string(read_file(path, bytes_max).size());
    } catch (const FeedError& error) {
        return error.what();
    }
}

TEST_F(BoundedRead, ReadsAFileWhole) {
    const std::string content = std::string(200'000, 'x') + "\0\xFF end"s;
    EXPECT_EQ(read_file(file(content)), content);
    EXPECT_EQ(read_file(file("")), "");
}

TEST_F(BoundedRead, TheLimitItselfIsAllowedAndOneMoreIsNot) {
    EXPECT_EQ(error_of(file(std::string(100, 'x'))), "read 100");
    const std::string path = file(std::string(101, 'x'));
    EXPECT_EQ(error_of(path), path.size() > 120 ? error_of(path)
                                                : path +
                                                      ": holds more than 100 bytes, the most "
                                                      "that is read of a feed");
}

TEST_F(BoundedRead, EndlessFileStopsAtTheLimit) {
    EXPECT_EQ(error_of("/dev/zero", 1'000'000),
              "/dev/zero: holds more than 1000000 bytes, the most that is read of a feed");
}

TEST_F(BoundedRead, MissingFileAndDirectoryAreNamed) {
    const std::string allowed = "; allowed: a readable file, or - for standard input";
    EXPECT_EQ(error_of("no/such.xml"),
              "no/such.xml: cannot be read: No such file or directory" + allowed);
    EXPECT_EQ(error_of("/"), "/: cannot be read: Is a directory" + allowed);
    EXPECT_NE(error_of("").find("No such file or directory"), std::string::npos);
    EXPECT_NE(error_of(std::string(5'000, 'a')).find("File name too long"), std::string::npos);
    EXPECT_EQ(error_of("/dev/null\0.xml"s),
              "/dev/null .xml: cannot be read: Invalid argument" + allowed);
    EXPECT_EQ(error_of("a\nb"), "a b: cannot be read: No such file or directory" + allowed);
}

TEST_F(BoundedRead, FileWithoutPermissionIsNamed) {
    const std::string path = file("secret");
    ASSERT_EQ(chmod(path.c_str(), 0), 0);
    const bool root = geteuid() == 0;
    // Root may read everything, so it becomes another user for the moment of the call.
    if (root) {
        ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
        ASSERT_EQ(seteuid(65534), 0);
    }
    const std::string error = error_of(path);
    if (root) {
        ASSERT_EQ(seteuid(0), 0);
    }
    EXPECT_NE(error.find("cannot be read: Permission denied"), std::string::npos) << error;
}

TEST_F(BoundedRead, ReadsAPipeToItsEnd) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const std::string content(300'000, 'p');
    std::thread writer([&] {
        std::size_t done = 0;
        while (done < content.size()) {
            const ssize_t wrote = write(ends[1], content.data() + done, content.size() - done);
            if (wrote <= 0) break;
            done += static_cast<std::size_t>(wrote);
        }
        close(ends[1]);
    });
    const std::string read = read_bounded(ends[0], "standard input");
    writer.join();
    close(ends[0]);
    EXPECT_EQ(read, content);
}

TEST_F(BoundedRead, ClosedDescriptorIsNamed) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    close(ends[1]);
    try {
        read_bounded(ends[1], "standard input");
        FAIL() << "no error";
    } catch (const FeedError& error) {
        EXPECT_STREQ(error.what(),
                     "standard input: cannot be read: Bad file descriptor; allowed: a readable "
                     "file, or - for standard input");
    }
    close(ends[0]);
}

TEST_F(BoundedRead, ReadsAStreamUpToTheLimit) {
    std::istringstream fits(std::string(50, 's'));
    EXPECT_EQ(read_bounded(fits, "stream", 50), std::string(50, 's'));
    std::istringstream large(std::string(51, 's'));
    EXPECT_THROW(read_bounded(large, "stream", 50), FeedError);
}

TEST_F(BoundedRead, AStopEndsTheWaitForAPipeThatStaysOpen) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    ASSERT_EQ(write(ends[1], "part", 4), 4);
    std::stop_source source;
    std::thread stopper([&] { source.request_stop(); });
    EXPECT_EQ(read_bounded(ends[0], "pipe", source.get_token()), std::nullopt);
    stopper.join();
    close(ends[0]);
    close(ends[1]);
}

TEST_F(BoundedRead, AStopEndsTheWaitForANamedPipeThatNobodyOpens) {
    const std::string path = directory_ + "/pipe";
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    std::stop_source source;
    std::thread stopper([&] { source.request_stop(); });
    EXPECT_EQ(read_file(path, source.get_token()), std::nullopt);
    stopper.join();
}

TEST_F(BoundedRead, ANamedPipeIsReadToItsWritersEnd) {
    const std::string path = directory_ + "/pipe";
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    std::thread writer([&] { std::ofstream(path) << "whole"; });
    EXPECT_EQ(read_file(path), "whole");
    writer.join();
}

}  // namespace
}  // namespace headpond::ingest
