// Feeds on loopback for the ingest tool as a process.
#pragma once

#include "ingest_run/ingest_run.h"
#include "support/http_server.h"

#include <map>
#include <mutex>
#include <optional>

namespace headpond::test {

// What a path answers. One with an etag is answered by 304 to those who have it.
struct Page {
    std::string body;
    std::string type = "application/rss+xml";
    std::string etag;
    int status = 200;
    std::map<std::string, std::string> headers;
};

class FeedServer {
  public:
    FeedServer()
        : server_([this](const auto& request, auto& response) { say(request, response); }) {}

    void set(const std::string& path, Page page) {
        const std::lock_guard lock(mutex_);
        pages_[path] = std::move(page);
    }
    [[nodiscard]] std::string address(const std::string& path) const {
        return server_.address(path);
    }
    [[nodiscard]] std::vector<httplib::Request> requests() const { return server_.requests(); }
    [[nodiscard]] std::size_t count(const std::string& path) const {
        std::size_t count = 0;
        for (const auto& request : server_.requests()) count += request.path == path ? 1 : 0;
        return count;
    }

  private:
    void say(const httplib::Request& request, httplib::Response& response) {
        const std::lock_guard lock(mutex_);
        const auto found = pages_.find(request.path);
        if (found == pages_.end()) {
            response.status = 404;
            return;
        }
        const Page& page = found->second;
        for (const auto& [name, value] : page.headers) response.set_header(name, value);
        if (!page.etag.empty()) response.set_header("ETag", page.etag);
        response.status = page.status;
        if (!page.etag.empty() && request.get_header_value("If-None-Match") == page.etag) {
            response.status = 304;
        } else {
            response.set_content(page.body, page.type);
        }
    }

    std::mutex mutex_;  // guards pages_
    std::map<std::string, Page> pages_;
    HttpServer server_;
};

class FeedsRun : public IngestRun {
  protected:
    // Politeness to loopback is tried where it is meant.
    ProgramOptions start(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), {"--host-delay", "0"});
        return IngestRun::start(std::move(arguments));
    }
    // Its stderr goes to a file, which can be read while it runs.
    ProgramOptions start_with_err(std::vector<std::string> arguments) {
        auto how = start(std::move(arguments));
        how.arguments.insert(how.arguments.begin(),
                             {"-c", "exec \"$0\" \"$@\" 2>>err", std::string(ingest)});
        return how;
    }
    std::string err_so_far() const {
        std::ifstream file(dir / "err");
        return {std::istreambuf_iterator<char>(file), {}};
    }
    static void wait_until(const std::function<bool()>& condition) {
        while (!condition()) sched_yield();
    }
    // The first column of the first row as text; "NULL".
    std::string text_of(const std::string& sql) {
        sqlite3* handle = nullptr;
        EXPECT_EQ(sqlite3_open_v2(database.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr),
                  SQLITE_OK);
        sqlite3_busy_timeout(handle, 5000);
        sqlite3_stmt* statement = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
            << sqlite3_errmsg(handle);
        EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW) << sql;
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
        std::string copy = text == nullptr ? "NULL" : text;
        sqlite3_finalize(statement);
        sqlite3_close(handle);
        return copy;
    }
    std::string feed_column(const std::string& column, const std::string& url) {
        return text_of("SELECT " + column + " FROM feeds WHERE url = '" + url + "'");
    }
    // The line on stderr that names the feed.
    static std::string line_of(const ProgramResult& result, const std::string& name) {
        const auto at = result.err.find(name + ": ");
        if (at == std::string::npos) return "no line of " + name + " in " + result.err;
        return result.err.substr(at, result.err.find('\n', at) - at);
    }
};

}  // namespace headpond::test
