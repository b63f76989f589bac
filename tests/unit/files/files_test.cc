#include "daemon/sources/files.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/base/temporary_folder.h"
#include "tests/unit/files/recording_sink.h"

namespace fipd {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() {
    options_.directory = root_ / "d";
    options_.rank = 7;
    options_.settle = milliseconds(20);
    options_.quiet = milliseconds(60);
    options_.retry = milliseconds(150);
    fs::create_directory(options_.directory);
    subscription_ = hub_.subscribe(
        [this](const Event& event) { events_.push_back(event.kind + ": " + event.text); });
  }
  ~FilesTest() override {
    source_.reset();
    loop_.poll();
  }

  void start() {
    source_.emplace(loop_.get_executor(), *background_, options_, sink_, hub_);
    source_->start();
  }
  // Lets the loop turn until `done`, for at most ten seconds.
  template <typename Done>
  bool until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      loop_.run_for(milliseconds(2));
    }
    return done();
  }
  bool claimed(std::size_t count) {
    return until([&] { return sink_.depth == 0 && sink_.claims.size() == count; });
  }
  bool complete() {
    return until([&] { return sink_.complete.has_value(); });
  }
  void turn(milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    until([&] { return std::chrono::steady_clock::now() >= end; });
  }

  static std::string bindings(unsigned from, unsigned to, unsigned fixed = 10) {
    std::string out = from == to ? "floating_ip = []\n" : "";
    for (unsigned n = from; n < to; ++n) {
      out += fmt::format("[[floating_ip]]\nfloating = \"172.{}.{}.{}\"\nfixed = \"{}.0.0.1\"\n",
                         n >> 16, (n >> 8) & 255, n & 255, fixed);
    }
    return out;
  }
  fs::path at(const std::string& name) const { return options_.directory / name; }
  void write(const std::string& name, const std::string& text) { std::ofstream(at(name)) << text; }
  void replace(const std::string& name, const std::string& text) {
    write("." + name + ".new", text);
    fs::rename(at("." + name + ".new"), at(name));
  }
  std::string problem() {
    return source_->report().problems.empty() ? "" : source_->report().problems.front();
  }
  Result<std::size_t> accept() {
    std::optional<Result<std::size_t>> out;
    const auto done = [&](std::exception_ptr, Result<std::size_t> value) {
      out = std::move(value);
    };
    boost::asio::co_spawn(loop_, source_->accept(), done);
    EXPECT_TRUE(until([&] { return out.has_value(); }));
    return *out;
  }

  // a.toml by way of a link to release 1, with three bindings; release 2 has four.
  void link_releases() {
    fs::create_directories(root_ / "1");
    fs::create_directories(root_ / "2");
    std::ofstream(root_ / "1" / "a.toml") << bindings(0, 3);
    std::ofstream(root_ / "2" / "a.toml") << bindings(0, 4);
    fs::create_symlink(root_ / "1", at("..data"));
    fs::create_symlink("..data/a.toml", at("a.toml"));
  }

  TemporaryFolder folder_;
  const fs::path root_ = folder_.path();
  boost::asio::io_context loop_;
  std::unique_ptr<Background> background_ = std::make_unique<Background>();
  FilesOptions options_;
  RecordingSink sink_;
  EventHub hub_;
  std::vector<std::string> events_;
  EventHub::Subscription subscription_;
  std::optional<FilesSource> source_;
};

TEST_F(FilesTest, ClaimsWhatTheFilesSay) {
  write("a.toml", bindings(0, 3));
  write("b.toml", bindings(3, 5));
  start();
  ASSERT_TRUE(claimed(5));
  ASSERT_TRUE(complete());
  EXPECT_EQ(sink_.complete, 7U);
  const Claim& claim = sink_.claims.begin()->second;
  EXPECT_EQ(claim.origin, "files:" + at("a.toml").string());
  EXPECT_EQ(claim.rank, 7U);
  EXPECT_GT(claim.revision, 1'600'000'000'000'000'000U);
  EXPECT_EQ(source_->report().claims, 5U);
  EXPECT_TRUE(source_->report().complete);
}

TEST_F(FilesTest, FollowsAReplacementByRename) {
  write("a.toml", bindings(0, 3));
  start();
  ASSERT_TRUE(complete());
  sink_.writes = 0;
  replace("a.toml", bindings(1, 4));
  ASSERT_TRUE(until([&] { return sink_.writes == 2 && sink_.depth == 0; }));
  EXPECT_EQ(sink_.claims.size(), 3U);
}

TEST_F(FilesTest, LeavesAHalfWrittenFileAlone) {
  write("a.toml", bindings(0, 8));
  start();
  ASSERT_TRUE(complete());
  sink_.writes = 0;
  std::ofstream slow(at("a.toml"), std::ios::trunc);
  slow << bindings(0, 1) << std::flush;
  // Also where a change of its mode, or a trouble elsewhere, makes it be looked at.
  fs::permissions(at("a.toml"), fs::perms(0640));
  write("broken.toml", "[");
  turn(milliseconds(500));
  EXPECT_EQ(sink_.writes, 0U);
  slow << bindings(1, 7);
  slow.close();
  ASSERT_TRUE(claimed(7));
  EXPECT_EQ(sink_.writes, 1U);
}

TEST_F(FilesTest, TakesADeletedFileForEvidence) {
  write("a.toml", bindings(0, 3));
  write("b.toml", bindings(3, 5));
  start();
  ASSERT_TRUE(claimed(5));
  fs::remove(at("a.toml"));
  ASSERT_TRUE(claimed(2));
  fs::rename(at("b.toml"), root_ / "elsewhere");
  ASSERT_TRUE(claimed(0));
}

TEST_F(FilesTest, RenamesAFileWithoutHoldingIt) {
  write("a.toml", bindings(0, 30));
  start();
  ASSERT_TRUE(claimed(30));
  fs::rename(at("a.toml"), at("b.toml"));
  ASSERT_TRUE(until([&] { return sink_.removals == 30 && sink_.depth == 0; }));
  EXPECT_EQ(sink_.claims.size(), 30U);
  EXPECT_EQ(source_->report().held, 0U);
}

TEST_F(FilesTest, KeepsTheLastGoodContentOfABrokenFile) {
  write("a.toml", bindings(0, 3));
  start();
  ASSERT_TRUE(complete());
  write("a.toml", "[[floating_ip]]\nfloating = 5\n");
  ASSERT_TRUE(until([&] { return !problem().empty(); }));
  EXPECT_THAT(problem(), HasSubstr("a.toml:2:1: floating: is an integer"));
  EXPECT_EQ(sink_.claims.size(), 3U);
  EXPECT_THAT(events_, ElementsAre(HasSubstr("source: files: a.toml:2:1")));
  write("a.toml", "");
  ASSERT_TRUE(until([&] { return problem().find("no [[floating_ip]]") != std::string::npos; }));
  EXPECT_EQ(sink_.claims.size(), 3U);
  write("a.toml", bindings(0, 2));
  ASSERT_TRUE(claimed(2));
  ASSERT_TRUE(until([&] { return problem().empty(); }));
}

TEST_F(FilesTest, IsNotCompleteWhileAFileCannotBeRead) {
  fs::create_directory(at("x.toml"));
  write("a.toml", bindings(0, 3));
  start();
  ASSERT_TRUE(claimed(3));
  turn(milliseconds(300));
  EXPECT_FALSE(sink_.complete);
  EXPECT_THAT(problem(), HasSubstr("x.toml: is not a regular file"));
  fs::remove(at("x.toml"));
  write("x.toml", bindings(3, 4));
  ASSERT_TRUE(claimed(4));
  ASSERT_TRUE(complete());
}

TEST_F(FilesTest, ReadsALinkThatLeadsSomewhereInTheEnd) {
  fs::create_symlink(root_ / "target", at("a.toml"));
  start();
  ASSERT_TRUE(until([&] { return !problem().empty(); }));
  EXPECT_FALSE(sink_.complete);
  std::ofstream(root_ / "target") << bindings(0, 2);
  ASSERT_TRUE(claimed(2));
  ASSERT_TRUE(complete());
}

TEST_F(FilesTest, ListsAFileThatItCannotTake) {
  write("a.toml", bindings(0, 2));
  start();
  ASSERT_TRUE(complete());
  EXPECT_THAT(source_->refused(), IsEmpty());
  replace("a.toml", "[[floating_ip]]\nfixed = 5\n");
  ASSERT_TRUE(until([&] { return !source_->refused().empty(); }));
  const RefusedWord& word = source_->refused().front();
  EXPECT_EQ(word.source, "files:" + at("a.toml").string());
  EXPECT_THAT(word.reason, HasSubstr("a.toml:2:"));
  EXPECT_THAT(word.reason, HasSubstr("stays in force"));
  EXPECT_EQ(sink_.claims.size(), 2U);
  replace("a.toml", bindings(0, 3));
  ASSERT_TRUE(claimed(3));
  EXPECT_TRUE(until([&] { return source_->refused().empty(); }));
}

TEST_F(FilesTest, DoesNotMindWhatEditorsLeaveBehind) {
  for (const char* name : {".a.toml.swp", "a.toml~", "#a.toml#", ".a.toml", "a.txt", ".toml"}) {
    write(name, bindings(0, 3));
  }
  start();
  ASSERT_TRUE(complete());
  write("4913", "");
  write("b.toml", bindings(5, 6));
  ASSERT_TRUE(claimed(1));
  EXPECT_THAT(source_->report().problems, IsEmpty());
}

TEST_F(FilesTest, HoldsAMassRemovalUntilItIsAccepted) {
  write("a.toml", bindings(0, 100));
  start();
  ASSERT_TRUE(complete());
  replace("a.toml", bindings(80, 105));
  ASSERT_TRUE(until([&] { return source_->report().held == 80; }));
  EXPECT_EQ(sink_.claims.size(), 105U);
  EXPECT_THAT(events_, ElementsAre(HasSubstr("held: files: 80 of 105")));
  const Result<std::size_t> accepted = accept();
  ASSERT_TRUE(accepted);
  EXPECT_EQ(*accepted, 80U);
  EXPECT_EQ(sink_.claims.size(), 25U);
  EXPECT_EQ(accept().value(), 0U);
}

TEST_F(FilesTest, LetsAHoldGoWhenTheFileIsBack) {
  write("a.toml", bindings(0, 100));
  start();
  ASSERT_TRUE(complete());
  fs::rename(at("a.toml"), at("a.bak"));
  ASSERT_TRUE(until([&] { return source_->report().held == 100; }));
  fs::rename(at("a.bak"), at("a.toml"));
  ASSERT_TRUE(until([&] { return source_->report().held == 0; }));
  EXPECT_EQ(sink_.removals, 0U);
}

TEST_F(FilesTest, TakesOverANewRuleAtOnce) {
  write("a.toml", bindings(0, 100));
  start();
  ASSERT_TRUE(complete());
  fs::remove(at("a.toml"));
  ASSERT_TRUE(until([&] { return source_->report().held == 100; }));
  options_.hold_share = 1.0;
  source_->apply(options_);
  ASSERT_TRUE(claimed(0));
}

TEST_F(FilesTest, RemovesNothingWhenItsDirectoryGoesAndComes) {
  write("a.toml", bindings(0, 3));
  start();
  ASSERT_TRUE(complete());
  fs::remove_all(options_.directory);
  ASSERT_TRUE(until([&] { return !problem().empty(); }));
  EXPECT_THAT(problem(), HasSubstr("No such file or directory"));
  EXPECT_EQ(sink_.claims.size(), 3U);
  fs::create_directory(options_.directory);
  ASSERT_TRUE(until([&] { return source_->report().held == 3; }));
  EXPECT_EQ(sink_.claims.size(), 3U);
  write("a.toml", bindings(0, 4));
  ASSERT_TRUE(claimed(4));
  EXPECT_EQ(source_->report().held, 0U);
  EXPECT_EQ(sink_.removals, 0U);
}

TEST_F(FilesTest, FollowsItsDirectoryWhenItIsMovedAway) {
  write("a.toml", bindings(0, 3));
  start();
  ASSERT_TRUE(complete());
  fs::rename(options_.directory, root_ / "old");
  fs::create_directory(options_.directory);
  write("a.toml", bindings(0, 5));
  ASSERT_TRUE(claimed(5));
  EXPECT_EQ(sink_.removals, 0U);
}

TEST_F(FilesTest, WaitsForADirectoryThatIsNotThereYet) {
  fs::remove(options_.directory);
  start();
  turn(milliseconds(100));
  EXPECT_FALSE(sink_.complete);
  fs::create_directory(options_.directory);
  write("a.toml", bindings(0, 3));
  ASSERT_TRUE(claimed(3));
  ASSERT_TRUE(complete());
}

TEST_F(FilesTest, FollowsALinkThatIsTurnedToAnotherRelease) {
  link_releases();
  start();
  ASSERT_TRUE(claimed(3));
  fs::create_symlink(root_ / "2", at("..new"));
  fs::rename(at("..new"), at("..data"));
  ASSERT_TRUE(claimed(4));
}

// Descriptors run out: directories cannot be listed, links can be turned.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::dup(0);  // the lowest that is free
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoMoreFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreFiles(const NoMoreFiles&) = delete;
  NoMoreFiles& operator=(const NoMoreFiles&) = delete;

 private:
  rlimit before_{};
};

TEST_F(FilesTest, LooksAgainForWhatItCouldNotList) {
  link_releases();
  start();
  ASSERT_TRUE(complete());
  fs::create_symlink(root_ / "2", root_ / "new");
  {
    const NoMoreFiles none;
    fs::rename(root_ / "new", at("..data"));
    ASSERT_TRUE(until([&] { return !problem().empty(); }));
    EXPECT_THAT(problem(), HasSubstr("Too many open files"));
    turn(2 * options_.retry);
    EXPECT_THAT(problem(), HasSubstr("Too many open files")) << "until it was listed";
    EXPECT_EQ(events_.size(), 1U);
  }
  ASSERT_TRUE(claimed(4));
  EXPECT_TRUE(until([&] { return problem().empty(); }));
}

TEST_F(FilesTest, RefusesMoreThanTheLimit) {
  options_.max = 10;
  write("a.toml", bindings(0, 8));
  start();
  ASSERT_TRUE(complete());
  write("b.toml", bindings(8, 12));
  ASSERT_TRUE(until([&] { return !problem().empty(); }));
  EXPECT_THAT(problem(), HasSubstr("more than 10 floating IPs"));
  EXPECT_EQ(sink_.claims.size(), 8U);
}

TEST_F(FilesTest, YieldsToTheLoopWhileItTakesAHundredThousand) {
  write("a.toml", bindings(0, 100000));
  start();
  milliseconds longest{0};
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(until([&] {
    const auto start = std::chrono::steady_clock::now();
    loop_.restart();
    loop_.run_one_for(milliseconds(1));
    const auto took = std::chrono::steady_clock::now() - start;
    longest = std::max(longest, std::chrono::duration_cast<milliseconds>(took));
    return sink_.depth == 0 && sink_.claims.size() == 100000;
  }));
  const std::chrono::duration<double, std::milli> all = std::chrono::steady_clock::now() - begun;
  std::printf("100,000 from a file: %.0f ms, longest turn of the loop %ld ms\n", all.count(),
              static_cast<long>(longest.count()));
  EXPECT_EQ(sink_.batches, 1);
  EXPECT_LT(longest, milliseconds(200));
}

TEST_F(FilesTest, TouchesNothingAfterItsEnd) {
  write("a.toml", bindings(0, 20000));
  start();
  ASSERT_TRUE(until([&] { return sink_.depth == 1; }));
  source_.reset();
  const std::size_t before = sink_.writes;
  turn(milliseconds(100));
  EXPECT_EQ(sink_.writes, before);
}

TEST_F(FilesTest, EndsAnAcceptThatWaitsWhenItEnds) {
  start();
  std::optional<Result<std::size_t>> out;
  const auto done = [&](std::exception_ptr, Result<std::size_t> value) { out = std::move(value); };
  boost::asio::co_spawn(loop_, source_->accept(), done);
  source_.reset();
  ASSERT_TRUE(until([&] { return out.has_value(); }));
  EXPECT_FALSE(*out);
}

}  // namespace
}  // namespace fipd
