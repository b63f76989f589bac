#include "daemon/state/store.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "tests/unit/store/store_fixture.h"

namespace fipd {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

TEST_F(StoreTest, KeepsEveryFieldOfABinding) {
  StoredBinding six;
  six.binding.floating = parse_address("2001:db8::3").value();
  six.binding.fixed = parse_address("fd00::13").value();
  six.binding.interface = "tap9a7e0868-da";
  six.binding.id = "it's; DROP TABLE binding";
  six.binding.port = "p\"\xc3\xbc";
  six.binding.primary = true;
  six.revision = ~std::uint64_t{0};
  ASSERT_TRUE(put(*open(), six));
  EXPECT_THAT(open()->load().value(), UnorderedElementsAre(six));
}

StoredBinding forwarding() {
  StoredBinding out;
  out.binding.floating = parse_address("172.16.1.9").value();
  Extras& extras = out.binding.extras.edit();
  extras.forwards = {{Protocol::kTcp, 443, 1, parse_address("10.65.0.13").value(), 8443},
                     {Protocol::kSctp, 7, 3, parse_address("10.65.0.14").value(), 70}};
  extras.limits = Limits{100000000, 0, 0, 0, 5, 0, 0};
  extras.preference = 150;
  extras.color = 65535;
  extras.shared = true;
  extras.check = HealthCheck{HealthCheck::Kind::kTcp, 22};
  return out;
}

TEST_F(StoreTest, KeepsWhatFewBindingsHave) {
  StoredBinding usual = stored(1);
  StoredBinding limited = stored(2);
  limited.binding.extras.edit().limits = Limits{};  // none at all, whatever is configured
  const StoreChange changes[] = {usual, limited, forwarding()};
  ASSERT_TRUE(open()->commit(changes));
  EXPECT_THAT(open()->load().value(), UnorderedElementsAre(usual, limited, forwarding()));
}

TEST_F(StoreTest, ReplacesAndRemoves) {
  {
    auto store = open();
    const StoreChange first[] = {stored(1), stored(2), stored(3)};
    ASSERT_TRUE(store->commit(first));
    StoredBinding moved = stored(1, 9);
    moved.binding.fixed = parse_address("10.1.1.1").value();
    const StoreChange second[] = {moved, StoreRemoval{stored(2).binding.floating},
                                  StoreRemoval{stored(77).binding.floating}};
    ASSERT_TRUE(store->commit(second));
    EXPECT_THAT(store->load().value(), UnorderedElementsAre(moved, stored(3)));
  }
  EXPECT_EQ(open()->load()->size(), 2U);
}

TEST_F(StoreTest, KeepsWordsOfTheDaemonBesideTheBindings) {
  {
    auto store = open();
    EXPECT_EQ(store->meta("drained").value(), std::nullopt);
    const StoreChange changes[] = {StoreMeta{"drained", "yes"}, StoreMeta{"empty", ""}, stored(1)};
    ASSERT_TRUE(store->commit(changes));
    const StoreChange again = StoreMeta{"drained", "no"};
    ASSERT_TRUE(store->commit(std::span(&again, 1)));
  }
  auto store = open();
  EXPECT_EQ(store->meta("drained").value(), "no");
  EXPECT_EQ(store->meta("empty").value(), "");
}

TEST_F(StoreTest, KeepsWhatIsDrainedAndTheHostsEndEndsAll) {
  const IpAddress floating = stored(1).binding.floating;
  const IpAddress other = stored(2).binding.floating;
  {
    auto store = open();
    EXPECT_EQ(store->drains().value(), StoredDrains());
    const StoreChange changes[] = {StoreDrain{floating, true}, StoreDrain{other, true},
                                   StoreDrain{other, true}};
    ASSERT_TRUE(store->commit(changes));
    const StoreChange end[] = {StoreDrain{other, false}};
    ASSERT_TRUE(store->commit(end));
  }
  {
    auto store = open();
    EXPECT_EQ(store->drains().value(), (StoredDrains{false, {floating}}));
    const StoreChange host[] = {StoreDrain{std::nullopt, true}};
    ASSERT_TRUE(store->commit(host));
  }
  auto store = open();
  EXPECT_EQ(store->drains().value(), (StoredDrains{true, {floating}}));
  const StoreChange end[] = {StoreDrain{std::nullopt, false}};
  ASSERT_TRUE(store->commit(end));
  EXPECT_EQ(store->drains().value(), StoredDrains());
}

TEST_F(StoreTest, IsReadableToItsOwnerOnly) {
  auto store = open();
  ASSERT_TRUE(put(*store, stored(1)));
  for (const auto& file : std::filesystem::directory_iterator(directory_)) {
    struct stat status {};
    ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << file.path();
  }
}

TEST_F(StoreTest, HoldsItsFileAloneAndSaysSo) {
  auto store = open();
  EXPECT_THAT(refusal(), HasSubstr("is in use by another fipd"));
  store.reset();
  EXPECT_EQ(refusal(), "opened");
}

TEST_F(StoreTest, AsksForADirectoryThatExists) {
  path_ = directory_ / "no" / "fipd.db";
  EXPECT_THAT(refusal(), HasSubstr("make its directory first"));
  path_ = directory_;
  EXPECT_THAT(refusal(), HasSubstr("store " + directory_.string()));
}

TEST_F(StoreTest, TakesTenThousandInOneCommit) {
  std::vector<StoreChange> changes;
  for (unsigned i = 0; i < 10000; ++i) changes.emplace_back(stored(i));
  auto store = open();
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(store->commit(changes));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  std::printf("10,000 in one commit: %.1f ms\n", took.count());
  EXPECT_EQ(store->load()->size(), 10000U);
}

}  // namespace
}  // namespace fipd
