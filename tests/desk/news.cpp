#include "desk/news.h"

namespace headpond::test {

namespace {

const std::vector<std::string> cities{"Jakarta", "Nairobi", "Lima", "Manila", "Oslo", "Perth"};

std::string item_of(std::int64_t alert) {
    const std::string number = std::to_string(alert);
    return "<item><title>Flood in " + cities[static_cast<std::size_t>(alert) % cities.size()] +
           " (" + number + ")</title><link>http://desk.example/" + number +
           "</link><description>Water stands in the streets, says report " + number +
           ".</description></item>";
}

}  // namespace

News::News(std::size_t feeds, std::size_t servers, std::uint64_t seed) : random_(seed) {
    for (std::size_t i = 0; i < feeds; ++i) feeds_.push_back(std::make_unique<Feed>());
    for (std::size_t i = 0; i < servers; ++i) {
        servers_.push_back(std::make_unique<HttpServer>(
            [this](const httplib::Request& request, httplib::Response& response) {
                answer(request, response);
            }));
    }
}

std::vector<std::string> News::addresses() const {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < feeds_.size(); ++i) {
        all.push_back(servers_[i % servers_.size()]->address("/" + std::to_string(i)));
    }
    return all;
}

void News::add() {
    std::size_t number = 0;
    {
        const std::lock_guard lock(random_mutex_);
        number = random_() % feeds_.size();
    }
    Feed& feed = *feeds_[number];
    const std::lock_guard lock(feed.mutex);
    feed.alerts.push_back(++added_);
    ++feed.unserved;
    ++feed.version;
    while (feed.alerts.size() > std::max(shown, feed.unserved)) feed.alerts.pop_front();
}

bool News::fails() {
    const std::lock_guard lock(random_mutex_);
    return random_() % 1000 < failing;
}

void News::answer(const httplib::Request& request, httplib::Response& response) {
    ++requests_;
    const std::size_t number = std::stoul(request.path.substr(1));
    if (fails()) {
        ++failed_;
        response.status = 503;
        return;
    }
    Feed& feed = *feeds_.at(number);
    const std::lock_guard lock(feed.mutex);
    const std::string tag = "\"" + std::to_string(feed.version) + "\"";
    response.set_header("ETag", tag);
    if (request.get_header_value("If-None-Match") == tag) {
        ++unchanged_;
        response.status = 304;
        return;
    }
    std::string xml = "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Desk " +
                      std::to_string(number) + "</title>";
    for (const std::int64_t alert : feed.alerts) xml += item_of(alert);
    response.set_content(xml + "</channel></rss>", "application/rss+xml; charset=utf-8");
    feed.unserved = 0;
}

TroubledService::TroubledService(std::chrono::milliseconds period)
    : period_(period),
      server_([this](const httplib::Request& request, httplib::Response& response) {
          answer(request, response);
      }) {}

void TroubledService::answer(const httplib::Request& request, httplib::Response& response) {
    const auto now = std::chrono::steady_clock::now() - start_;
    if (mended_ || now % period_ >= period_ / 10) {
        ++answered_;
        answer_well(request, response);
        return;
    }
    const auto kind = (refused_++ + now / period_) % 4;
    if (kind == 0) response.status = 500;
    if (kind == 1) {
        answer_error(response, 429, "rate_limit_reached_error");
        response.set_header("Retry-After", "1");
    }
    if (kind == 2) response.set_content("<html>Bad gateway</html>", "text/html");
    if (kind == 3) {
        answer_error(response, 503, "engine_overloaded_error");
        response.set_header("Retry-After", "1");
    }
}

}  // namespace headpond::test
