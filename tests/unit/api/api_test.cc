// How requests are judged, and what becomes of those that arrive together.
#include "tests/unit/api/api_fixture.h"

namespace fipd {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kA = "172.16.1.3";
constexpr std::string_view kB = "172.16.1.4";
constexpr std::string_view kC = "172.16.1.5";
constexpr std::string_view kOne = "10.65.0.13";
constexpr std::string_view kTwo = "10.65.0.14";

class ApiJudgementTest : public ApiTest {
 protected:
  void claim_by_file(std::string_view floating, std::string_view fixed) {
    sink_->bindings.put({binding(floating, fixed), 1, 1, "files:/a.toml"});
  }
};

TEST_F(ApiJudgementTest, StoresAndHandsOnWhatWasAsked) {
  start();
  EXPECT_EQ(sink_->complete, options_.rank);
  EXPECT_EQ(add(kA, kOne), "ok");
  EXPECT_EQ(bound(kA), kOne);
  EXPECT_EQ(source_->report().claims, 1U);
  const auto stored = on_disk();
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored.front().binding, binding(kA, kOne));
}

TEST_F(ApiJudgementTest, StoresRequestsThatCameTogetherInOneCommit) {
  ASSERT_TRUE(open());
  const int before = sink_->batches;
  std::vector<std::shared_ptr<Asked>> asked;
  for (unsigned i = 1; i <= 100; ++i) {
    asked.push_back(ask(put(fmt::format("172.16.2.{}", i), kOne)));
  }
  run();
  for (const auto& each : asked) EXPECT_EQ(outcome(each), "ok");
  EXPECT_EQ(sink_->batches, before + 1);
  EXPECT_EQ(sink_->depth, 0);
  EXPECT_EQ(source_->report().claims, 100U);
  EXPECT_EQ(on_disk().size(), 100U);
}

TEST_F(ApiJudgementTest, ReplacesABoundAddressOnlyWhereAskedTo) {
  start();
  EXPECT_EQ(add(kA, kOne), "ok");
  EXPECT_EQ(add(kA, kOne), "ok");
  EXPECT_EQ(add(kA, kTwo), "conflict");
  EXPECT_EQ(bound(kA), kOne);
  ChangeRequest replace = put(kA, kTwo);
  replace.replace = true;
  EXPECT_EQ(change(replace), "ok");
  EXPECT_EQ(bound(kA), kTwo);
  EXPECT_EQ(source_->report().claims, 1U);
}

TEST_F(ApiJudgementTest, LetsOnlyTheFirstOfTwoRacingRequestsHaveTheAddress) {
  ASSERT_TRUE(open());
  const auto first = ask(put(kA, kOne));
  const auto second = ask(put(kA, kTwo));
  run();
  EXPECT_EQ(outcome(first), "ok");
  EXPECT_EQ(outcome(second), "conflict");
  EXPECT_EQ(bound(kA), kOne);
  EXPECT_EQ(on_disk().size(), 1U);
}

TEST_F(ApiJudgementTest, SeesARemovalAheadOfItInTheSameGroup) {
  start();
  ASSERT_EQ(add(kA, kOne), "ok");
  ASSERT_TRUE(open());
  const auto removed = ask(removal(kA));
  const auto again = ask(removal(kA));
  const auto added = ask(put(kA, kTwo));
  run();
  EXPECT_EQ(outcome(removed), "ok");
  EXPECT_EQ(outcome(again), "not_found");
  EXPECT_EQ(outcome(added), "ok");
  EXPECT_EQ(bound(kA), kTwo);
  EXPECT_EQ(source_->report().claims, 1U);
}

TEST_F(ApiJudgementTest, TakesAllOfARequestOrNothing) {
  start();
  ASSERT_EQ(add(kC, kOne), "ok");
  const int before = sink_->writes;
  ChangeRequest request;
  request.put = {binding(kA, kOne), binding(kB, kOne), binding(kC, kTwo)};
  const auto asked = ask(request);
  EXPECT_EQ(outcome(asked), "conflict");
  EXPECT_EQ(asked->answer->error().floating, address(kC));
  EXPECT_EQ(sink_->writes, before);
  EXPECT_EQ(add(kA, kTwo), "ok") << "nothing of the refused request stays staged";
  EXPECT_EQ(on_disk().size(), 2U);
}

TEST_F(ApiJudgementTest, RefusesToRemoveAnAddressOfAnotherSource) {
  start();
  claim_by_file(kA, kOne);
  const auto asked = ask(removal(kA));
  EXPECT_EQ(outcome(asked), "other_source");
  EXPECT_THAT(asked->answer->error().error.message(), HasSubstr("files:/a.toml"));
  EXPECT_EQ(change(removal(kB)), "not_found");
  ChangeRequest lenient = removal(kB);
  lenient.must_exist = false;
  EXPECT_EQ(change(lenient), "ok");
}

TEST_F(ApiJudgementTest, CountsAgainstTheLimitOnlyWhatIsNew) {
  options_.most_floating_ips = 3;
  start();
  ASSERT_EQ(add(kA, kOne), "ok");
  ASSERT_EQ(add(kB, kOne), "ok");
  ChangeRequest both;
  both.put = {binding(kA, kOne), binding(kB, kOne), binding(kC, kOne)};
  EXPECT_EQ(change(both), "ok") << "two of the three are there already";
  EXPECT_EQ(add("172.16.1.6", kOne), "too_many");
  EXPECT_EQ(add(kA, kOne), "ok");
  ASSERT_TRUE(open());
  const auto removed = ask(removal(kA));
  const auto added = ask(put("172.16.1.6", kOne));
  const auto surplus = ask(put("172.16.1.7", kOne));
  run();
  EXPECT_EQ(outcome(removed), "ok");
  EXPECT_EQ(outcome(added), "ok") << "it takes the place of the removed one";
  EXPECT_EQ(outcome(surplus), "too_many");
}

TEST_F(ApiJudgementTest, LetsNoAddressBeFloatingAndFixedAtOnce) {
  start();
  ASSERT_EQ(add(kA, kOne), "ok");
  EXPECT_EQ(add(kB, kA), "fixed_is_floating");
  EXPECT_EQ(add(kOne, kTwo), "floating_is_fixed");
  EXPECT_EQ(add(kB, kB), "fixed_is_floating");
}

TEST_F(ApiJudgementTest, TakesAForwardForAWayToItsInstance) {
  start();
  ChangeRequest request;
  request.put = {Binding()};
  Binding& forwarding = request.put.front();
  forwarding.floating = address(kA);
  forwarding.extras.edit().forwards = {{Protocol::kTcp, 1, 1, address(kOne), 1},
                                       {Protocol::kTcp, 2, 1, address(kTwo), 2}};
  ASSERT_EQ(change(request), "ok");
  EXPECT_EQ(change(request), "ok") << "nothing new";
  EXPECT_EQ(add(kTwo, kB), "floating_is_fixed");
  EXPECT_EQ(add(kA, kOne), "conflict");
  forwarding.extras.edit().forwards.pop_back();
  EXPECT_EQ(change(request), "conflict") << "a forward less is another target";
  request.replace = true;
  EXPECT_EQ(change(request), "ok");
  EXPECT_EQ(add(kTwo, kB), "ok") << "nobody leads there any more";
  forwarding.extras.edit().forwards.push_back({Protocol::kTcp, 3, 1, address(kTwo), 1});
  EXPECT_EQ(change(request), "fixed_is_floating");
}

TEST_F(ApiJudgementTest, LetsNoAddressBecomeFloatingAndFixedWithinOneGroup) {
  ASSERT_TRUE(open());
  const auto one = ask(put(kA, kB));
  const auto chain = ask(put(kB, kOne));
  const auto back = ask(put(kC, kA));
  run();
  EXPECT_EQ(outcome(one), "ok");
  EXPECT_EQ(outcome(chain), "floating_is_fixed");
  EXPECT_EQ(outcome(back), "fixed_is_floating");
  ChangeRequest request;
  request.put = {binding("172.16.1.8", "172.16.1.9"), binding("172.16.1.9", kOne)};
  EXPECT_EQ(change(request), "floating_is_fixed");
}

TEST_F(ApiJudgementTest, RefusesWhatTheRulesDoNotAdmit) {
  rules_.pools = {Prefix::parse("172.16.0.0/16").value()};
  start();
  EXPECT_EQ(add("192.0.2.1", kOne), "outside_pools");
  EXPECT_EQ(add("172.16.1.9", "fd00::1"), "mixed_families");
}

TEST_F(ApiJudgementTest, GoesOnCountingRevisionsAfterARestart) {
  start();
  ASSERT_EQ(add(kA, kOne), "ok");
  ASSERT_EQ(add(kB, kOne), "ok");
  const std::uint64_t last = sink_->bindings.winner(address(kB))->revision;
  EXPECT_GT(last, sink_->bindings.winner(address(kA))->revision);
  start();
  EXPECT_EQ(sink_->bindings.winner(address(kB))->revision, last);
  ASSERT_EQ(add(kC, kOne), "ok");
  EXPECT_GT(sink_->bindings.winner(address(kC))->revision, last);
}

TEST_F(ApiJudgementTest, RecordsTheDaemonsOwnWordsBesideBindings) {
  start();
  std::vector<StoreChange> words{StoreDrain{std::nullopt, true}, StoreDrain{address(kA), true}};
  const auto drained = record(std::move(words));
  ASSERT_EQ(add(kA, kOne), "ok");
  EXPECT_EQ(outcome(drained), "ok");
  EXPECT_EQ(on_disk().size(), 1U);
  const auto store = Store::open(path_);
  ASSERT_TRUE(store) << store.error().message();
  EXPECT_EQ((*store)->drains().value(), (StoredDrains{true, {address(kA)}}));
}

}  // namespace
}  // namespace fipd
