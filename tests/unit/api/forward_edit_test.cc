// One forward changed, the others left: as a pure function, and through the API's queue.
#include "daemon/state/forward_edit.h"

#include "tests/unit/api/api_fixture.h"

namespace fipd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Forward forward(std::string_view text) { return parse_forward(text).value(); }

std::vector<std::string> texts(const std::vector<Forward>& forwards) {
  std::vector<std::string> out;
  for (const Forward& each : forwards) out.push_back(to_string(each));
  return out;
}

class ForwardEdits : public ::testing::Test {
 protected:
  // The stable code of the refusal, "ok" where it is done.
  std::string edit(std::vector<std::string> remove, std::vector<std::string> add,
                   bool replace = false) {
    ForwardEdit edit;
    for (const std::string& each : remove) {
      edit.remove.push_back(parse_forward_removal(each).value());
    }
    for (const std::string& each : add) edit.add.push_back(forward(each));
    edit.replace = replace;
    const auto refusal = edit_forwards(edit, forwards);
    return refusal ? std::string(refusal->stable_code) : "ok";
  }

  std::vector<Forward> forwards = {forward("tcp/443=10.65.0.13:8443"),
                                   forward("udp/5000-5010=10.65.0.14:6000-6010")};
};

TEST_F(ForwardEdits, AddAndRemoveWithoutNamingTheOthers) {
  EXPECT_EQ(edit({}, {"tcp/80=10.65.0.15:8080"}), "ok");
  EXPECT_EQ(edit({"tcp/443"}, {}), "ok");
  EXPECT_THAT(texts(forwards),
              ElementsAre("tcp/80=10.65.0.15:8080", "udp/5000-5010=10.65.0.14:6000-6010"));
}

TEST_F(ForwardEdits, AreDoneTwiceWithoutHarm) {
  EXPECT_EQ(edit({}, {"tcp/443=10.65.0.13:8443"}), "ok");
  EXPECT_EQ(forwards.size(), 2U);
}

TEST_F(ForwardEdits, ReplaceOnlyWhereAskedTo) {
  EXPECT_EQ(edit({}, {"tcp/443=10.65.0.99:8443"}), "forward_conflict");
  EXPECT_EQ(edit({}, {"tcp/443=10.65.0.99:8443"}, true), "ok");
  EXPECT_EQ(texts(forwards).front(), "tcp/443=10.65.0.99:8443");
  EXPECT_EQ(edit({}, {"udp/5005=10.65.0.99:1"}, true), "forward_conflict")
      << "the ten other ports would go silently";
  EXPECT_EQ(edit({"udp/5000-5010"}, {"udp/5005=10.65.0.99:1"}), "ok") << "removed first";
}

TEST_F(ForwardEdits, ARemovalThatNamesTheTargetHoldsOnlyForThat) {
  EXPECT_EQ(edit({"tcp/443=10.65.0.99:8443"}, {}), "forward_conflict");
  EXPECT_EQ(edit({"tcp/443=10.65.0.13:8443"}, {}), "ok");
}

TEST_F(ForwardEdits, AreAllOrNothing) {
  EXPECT_EQ(edit({"tcp/443"}, {"udp/5000=10.65.0.1:1"}), "forward_conflict");
  EXPECT_EQ(forwards.size(), 2U);
  EXPECT_EQ(edit({"tcp/444"}, {}), "forward_not_found");
  EXPECT_EQ(edit({"udp/5000"}, {}), "forward_not_found") << "its range is not cut";
  EXPECT_EQ(edit({"tcp/443", "udp/5000-5010"}, {}), "last_forward");
  EXPECT_EQ(forwards.size(), 2U);
}

TEST(ForwardRemovals, AreReadInBothForms) {
  EXPECT_FALSE(parse_forward_removal("tcp/443").value().exactly);
  EXPECT_TRUE(parse_forward_removal("tcp/443=10.65.0.13:8443").value().exactly);
  for (const char* text : {"", "443", "tcp/", "tcp/443=", "tcp/0", "tcp/5-4", "icmp/1"}) {
    EXPECT_FALSE(parse_forward_removal(text)) << text;
  }
}

class ForwardRequests : public ApiTest {
 protected:
  static ChangeRequest forwarding(std::string_view floating, std::string_view text) {
    ChangeRequest request = put(floating, "10.65.0.13");
    request.put.front().fixed = IpAddress();
    request.put.front().extras.edit().forwards = {forward(text)};
    return request;
  }
  static ChangeRequest adding(std::string_view floating, std::string_view text) {
    ChangeRequest request;
    request.forwards.emplace();
    request.forwards->floating = address(floating);
    request.forwards->add = {forward(text)};
    return request;
  }
  std::vector<std::string> forwards_of(std::string_view floating) const {
    return texts(sink_->bindings.winner(address(floating))->binding.forwards());
  }
};

TEST_F(ForwardRequests, OfTwoClientsAtOnceAreBothKept) {
  start();
  ASSERT_EQ(change(forwarding("172.16.1.3", "tcp/1=10.65.0.13:1")), "ok");
  ASSERT_TRUE(open());
  const auto one = ask(adding("172.16.1.3", "tcp/2=10.65.0.13:2"));
  const auto two = ask(adding("172.16.1.3", "tcp/3=10.65.0.14:3"));
  const auto taken = ask(adding("172.16.1.3", "tcp/2=10.65.0.15:2"));
  run();
  EXPECT_EQ(outcome(one), "ok");
  EXPECT_EQ(outcome(two), "ok");
  EXPECT_EQ(outcome(taken), "forward_conflict");
  EXPECT_THAT(taken->answer->error().error.message(), HasSubstr("172.16.1.3: tcp/2=10.65.0.13:2"));
  EXPECT_THAT(forwards_of("172.16.1.3"),
              ElementsAre("tcp/1=10.65.0.13:1", "tcp/2=10.65.0.13:2", "tcp/3=10.65.0.14:3"));
  const auto stored = on_disk();
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored.front().binding.forwards().size(), 3U);
}

TEST_F(ForwardRequests, AreRefusedWhereThereAreNone) {
  start();
  EXPECT_EQ(change(adding("172.16.1.3", "tcp/2=10.65.0.13:2")), "not_found");
  ASSERT_EQ(add("172.16.1.3", "10.65.0.13"), "ok");
  EXPECT_EQ(change(adding("172.16.1.3", "tcp/2=10.65.0.13:2")), "no_forwards");
  sink_->bindings.put({binding("172.16.1.4", "10.65.0.13"), 1, 1, "files:/a.toml"});
  EXPECT_EQ(change(adding("172.16.1.4", "tcp/2=10.65.0.13:2")), "other_source");
}

TEST_F(ForwardRequests, AreJudgedAsABindingIs) {
  start();
  ASSERT_EQ(change(forwarding("172.16.1.3", "tcp/1=10.65.0.13:1")), "ok");
  EXPECT_EQ(change(adding("172.16.1.3", "tcp/2=127.0.0.1:2")), "unusable_address");
  EXPECT_THAT(forwards_of("172.16.1.3"), ElementsAre("tcp/1=10.65.0.13:1"));
}

TEST_F(ForwardRequests, ARehearsalChangesNothing) {
  start();
  ASSERT_EQ(change(forwarding("172.16.1.3", "tcp/1=10.65.0.13:1")), "ok");
  const int writes = sink_->writes;
  std::optional<tl::expected<ChangeRequest, ChangeFailure>> told;
  const auto rehearse = [&](ChangeRequest request) {
    told.reset();
    const auto done = [&](const std::exception_ptr&,
                          tl::expected<ChangeRequest, ChangeFailure> answer) {
      told = std::move(answer);
    };
    boost::asio::co_spawn(*loop_, source_->rehearse(std::move(request)), done);
    return until([&] { return told.has_value(); });
  };
  ASSERT_TRUE(rehearse(adding("172.16.1.3", "tcp/2=10.65.0.13:2")));
  ASSERT_TRUE(*told);
  EXPECT_EQ((*told)->put.front().forwards().size(), 2U);
  ASSERT_TRUE(rehearse(put("172.16.1.9", "10.65.0.14")));
  EXPECT_TRUE(*told);
  ASSERT_TRUE(rehearse(put("172.16.1.3", "10.65.0.14")));
  ASSERT_FALSE(*told);
  EXPECT_EQ(told->error().stable_code, "conflict");
  EXPECT_EQ(sink_->writes, writes);
  EXPECT_EQ(bound("172.16.1.9"), "none");
  EXPECT_EQ(on_disk().size(), 1U);
}

}  // namespace
}  // namespace fipd
