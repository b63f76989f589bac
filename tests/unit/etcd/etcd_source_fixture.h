#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "daemon/base/tasks.h"
#include "daemon/sources/etcd/etcd_source.h"
#include "tests/unit/base/temporary_folder.h"
#include "tests/unit/etcd/etcd_fake.h"
#include "tests/unit/files/recording_sink.h"

namespace fipd {

// A source, and the etcd that it reads.
class EtcdSourceFixture : public ::testing::Test {
 protected:
  explicit EtcdSourceFixture(EtcdKeys keys) {
    options_.keys = std::move(keys);
    options_.client.endpoints = {etcd_.endpoint()};
    options_.snapshot = folder_.path() / "snapshot";
    options_.probe = std::chrono::milliseconds(30);
    options_.retry_min = std::chrono::milliseconds(10);
  }
  ~EtcdSourceFixture() override {
    stop();
    etcd_.close();
    loop_.restart();
    loop_.run_for(std::chrono::seconds(5));
  }

  // Also as a restart of fipd: what it had claimed stays in the sink.
  void start() {
    source_ =
        std::move(*EtcdSource::make(loop_.get_executor(), parsing_, disk_, options_, sink_, hub_));
    source_->load();
    tasks_.emplace(loop_.get_executor(), [](const std::string& task, const std::string& what) {
      ADD_FAILURE() << task << ": " << what;
    });
    tasks_->spawn("run", source_->run());
    tasks_->spawn("removals", source_->run_removals());
    tasks_->spawn("saves", source_->run_saves());
  }
  void stop() {
    if (!source_) return;
    tasks_->cancel();
    turn(std::chrono::milliseconds(100));
    tasks_.reset();
    source_.reset();
  }

  template <typename Done>
  bool until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      loop_.run_for(std::chrono::milliseconds(2));
    }
    return done();
  }
  void turn(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    until([&] { return std::chrono::steady_clock::now() >= end; });
  }
  bool claimed(std::size_t count) {
    return until([&] { return sink_.depth == 0 && sink_.claims.size() == count; });
  }
  // Until it has read, and watches.
  bool follows() {
    return until([&] { return source_->report().problems.empty(); });
  }
  // Until it has looked once more whether etcd is the same, and taken what came of it.
  void look_again(const std::string& probed) {
    const int before = etcd_.asked(probed);
    EXPECT_TRUE(until([&] { return etcd_.asked(probed) >= before + 2; }));
  }

  TemporaryFolder folder_;
  boost::asio::io_context loop_;
  Background parsing_;
  Background disk_;
  EtcdFake etcd_{loop_};
  RecordingSink sink_;
  EventHub hub_;
  EtcdSourceOptions options_;
  std::optional<Tasks> tasks_;
  std::unique_ptr<EtcdSource> source_;
};

}  // namespace fipd
