#pragma once

#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/announcements.h"
#include "daemon/base/tasks.h"
#include "tests/unit/announce/bird_world.h"

namespace fipd {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// Announcements, client and watch, against a BIRD that the test plays.
class AnnouncementsTest : public testing::Test {
 protected:
  AnnouncementsTest() {
    times_.settle = milliseconds(20);
    times_.retry = milliseconds(50);
    times_.every = milliseconds(100);
    times_.nudge_pause = milliseconds(100);
    subscription_ = events_.subscribe([this](const Event& event) {
      if (event.kind != "bird") told_.push_back(event.text);
    });
  }
  ~AnnouncementsTest() override {
    watch_.reset();
    tasks_.cancel();
    io_.restart();
    io_.run_for(milliseconds(50));
  }

  void start() {
    bgp::BirdOptions options;
    options.path = folder_.path() / "bird.ctl";
    options.timeout = options.bulk_timeout = milliseconds(100);
    options.retry_min = options.retry_max = milliseconds(10);
    client_.emplace(io_.get_executor(), options);
    OurRoutes ours;
    ours.routed = [this](const IpAddress& address) { return ours_.contains(address); };
    ours.count = [this] { return ours_.size(); };
    ours.all = [this] { return std::vector<IpAddress>(ours_.begin(), ours_.end()); };
    ours.metric = [](const IpAddress&) { return 1024U; };
    ours.strangers = [this]() -> const std::vector<bgp::StrangerRoute>& { return strangers_; };
    ours.shared = [this](const IpAddress& address) { return shared_.contains(address); };
    announcements_.emplace(io_.get_executor(), *client_, events_, ours, bgp::BirdHints(), times_);
    watch_.emplace(io_.get_executor(), *client_, *announcements_, watch_every_);
    bird_.emplace(options.path, world_.script());
    tasks_.spawn("refreshes", announcements_->run_refreshes());
    tasks_.spawn("news", announcements_->run_news());
    tasks_.spawn("withdrawals", announcements_->run_withdrawals());
    watch_->start();
  }

  void bind_first(std::uint32_t count) {
    ours_.clear();
    for (std::uint32_t i = 0; i < count; ++i) ours_.insert(numbered(i));
    if (announcements_) announcements_->routes_changed();
  }
  // One that was routed just now.
  void route(std::uint32_t i) {
    ours_.insert(numbered(i));
    announcements_->note_routed(numbered(i));
    announcements_->routes_changed();
  }

  bool wait_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_for(milliseconds(2));
    }
    return done();
  }
  bool wait_announced(std::size_t count) {
    return wait_until([this, count] { return announcements_->announced() == count; });
  }
  std::string reason(std::uint32_t i) { return announcements_->of(numbered(i)).reason; }
  bool wait_reason(std::uint32_t i, const std::string& part) {
    const bool so = wait_until([&] { return reason(i).find(part) != std::string::npos; });
    EXPECT_TRUE(so) << reason(i);
    return so;
  }
  bool was_told(const std::string& part) const {
    return std::any_of(told_.begin(), told_.end(), [&part](const std::string& text) {
      return text.find(part) != std::string::npos;
    });
  }
  void pass(milliseconds time) {
    io_.restart();
    io_.run_for(time);
  }

  TemporaryFolder folder_;
  asio::io_context io_{1};
  Tasks tasks_{io_.get_executor(),
               [](const std::string&, const std::string& what) { ADD_FAILURE() << what; }};
  World world_;
  milliseconds watch_every_{10};
  RefreshTimes times_;
  EventHub events_;
  EventHub::Subscription subscription_;
  std::vector<std::string> told_;
  std::set<IpAddress> ours_;
  std::set<IpAddress> shared_;
  std::vector<bgp::StrangerRoute> strangers_;
  std::optional<bgp::FakeBird> bird_;
  std::optional<bgp::BirdClient> client_;
  std::optional<Announcements> announcements_;
  std::optional<bgp::BirdWatch> watch_;
};

}  // namespace fipd
