#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/sources/api.h"

namespace fipd {

// Merges what it is told, as the reconciler does, and counts the batches.
class RecordingSink : public ClaimSink {
 public:
  void put(Claim claim) override {
    EXPECT_GT(depth, 0);
    ++writes;
    bindings.put(std::move(claim));
  }
  void remove(const IpAddress& floating, std::string_view origin) override {
    EXPECT_GT(depth, 0);
    ++writes;
    bindings.remove(floating, origin);
  }
  void set_complete(unsigned rank) override { complete = rank; }
  void begin_batch() override { ++depth; }
  void end_batch() override {
    --depth;
    ++batches;
  }

  Bindings bindings;
  std::optional<unsigned> complete;
  int depth = 0;
  int batches = 0;
  int writes = 0;
};

// An ApiSource over a real store in a directory of its own. start() and end() are the daemon's.
class ApiTest : public ::testing::Test {
 protected:
  using Answer = tl::expected<void, ChangeFailure>;
  struct Asked {
    std::optional<Answer> answer;
  };

  ApiTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fipd-api-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    std::filesystem::create_directory(directory_ / "disk");
    std::filesystem::create_directory(directory_ / "run");
    path_ = directory_ / "disk" / "fipd.db";
    options_.look = std::chrono::milliseconds(200);
    options_.look_for_change = std::chrono::milliseconds(0);
    subscription_ = hub_.subscribe([this](const Event& event) { events_.push_back(event.text); });
  }
  ~ApiTest() override {
    end();
    std::filesystem::remove_all(directory_);
  }

  // Opens and loads; requests are taken, and wait until run().
  Outcome open() {
    end();
    loop_ = std::make_unique<boost::asio::io_context>();
    disk_ = std::make_unique<Background>();
    sink_ = std::make_unique<RecordingSink>();
    store_ = std::make_unique<StoreKeeper>(path_, directory_ / "run");
    ApiView view{sink_->bindings, host_, [this]() -> const DeriveRules& { return rules_; }};
    source_ = std::make_unique<ApiSource>(loop_->get_executor(), *disk_, *store_, options_,
                                          std::move(view), *sink_, hub_);
    return source_->load();
  }
  void run() {
    const auto ended = [](const std::exception_ptr& error) {
      if (error) std::rethrow_exception(error);
    };
    boost::asio::co_spawn(*loop_, source_->run(), ended);
  }
  void start() {
    const Outcome opened = open();
    ASSERT_TRUE(opened) << opened.error().message();
    run();
  }
  void end() {
    disk_.reset();  // its work returns before what it works on goes
    loop_.reset();
    source_.reset();
    store_.reset();
  }

  std::shared_ptr<Asked> ask(ChangeRequest request) {
    auto asked = std::make_shared<Asked>();
    const auto done = [asked](const std::exception_ptr&, Answer answer) {
      asked->answer = std::move(answer);
    };
    boost::asio::co_spawn(*loop_, source_->change(std::move(request)), done);
    loop_->poll();
    return asked;
  }
  std::shared_ptr<Asked> record(std::vector<StoreChange> words) {
    auto asked = std::make_shared<Asked>();
    const auto done = [asked](const std::exception_ptr&, Answer answer) {
      asked->answer = std::move(answer);
    };
    boost::asio::co_spawn(*loop_, source_->record(std::move(words)), done);
    loop_->poll();
    return asked;
  }
  template <typename Done>
  bool until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      loop_->restart();
      loop_->run_for(std::chrono::milliseconds(2));
    }
    return done();
  }
  // "ok", or the stable code of the refusal.
  std::string outcome(const std::shared_ptr<Asked>& asked) {
    if (!until([&] { return asked->answer.has_value(); })) return "no answer";
    return *asked->answer ? "ok" : asked->answer->error().stable_code;
  }
  std::string change(ChangeRequest request) { return outcome(ask(std::move(request))); }
  std::string add(std::string_view floating, std::string_view fixed) {
    return change(put(floating, fixed));
  }

  static IpAddress address(std::string_view text) { return parse_address(text).value(); }
  static Binding binding(std::string_view floating, std::string_view fixed) {
    Binding out;
    out.floating = address(floating);
    out.fixed = address(fixed);
    return out;
  }
  static ChangeRequest put(std::string_view floating, std::string_view fixed) {
    ChangeRequest request;
    request.put.push_back(binding(floating, fixed));
    return request;
  }
  static ChangeRequest removal(std::string_view floating) {
    ChangeRequest request;
    request.remove.push_back(address(floating));
    return request;
  }
  // "172.16.1.3 -> 10.65.0.13", of the winner; "none".
  std::string bound(std::string_view floating) const {
    const Claim* claim = sink_->bindings.winner(address(floating));
    if (claim == nullptr) return "none";
    return claim->binding.fixed.to_string();
  }
  std::vector<StoredBinding> on_disk() {
    end();
    const auto store = Store::open(path_);
    EXPECT_TRUE(store) << store.error().message();
    return store ? (*store)->load().value() : std::vector<StoredBinding>();
  }
  std::string problem() const {
    const SourceReport report = source_->report();
    return report.problems.empty() ? "" : report.problems.front();
  }

  std::filesystem::path directory_;
  std::filesystem::path path_;
  ApiOptions options_;
  DeriveRules rules_;
  Host host_;
  EventHub hub_;
  std::vector<std::string> events_;
  EventHub::Subscription subscription_;

  std::unique_ptr<RecordingSink> sink_;
  std::unique_ptr<StoreKeeper> store_;
  std::unique_ptr<Background> disk_;
  std::unique_ptr<ApiSource> source_;
  std::unique_ptr<boost::asio::io_context> loop_;
};

}  // namespace fipd
