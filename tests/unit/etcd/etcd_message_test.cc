#include "daemon/sources/etcd/etcd_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fipd {
namespace {

// Answers as etcd 3.4.23's gateway gave them; L2EvYg== is "/a/b", eA== is "x".
constexpr const char* kRange =
    R"({"header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437",)"
    R"("revision":"7","raft_term":"2"},"kvs":[{"key":"L2EvYg==","create_revision":"3",)"
    R"("mod_revision":"6","version":"2","value":"eA=="},{"key":"L2EvYw==","mod_revision":"7"}],)"
    R"("more":true,"count":"9"})";

TEST(EtcdMessage, ReadsARange) {
  const auto reply = range_reply(kRange);
  ASSERT_TRUE(reply) << reply.error().message();
  // Larger than a signed number of 64 bits.
  EXPECT_EQ(reply->header, (EtcdHeader{14841639068965178418ULL, 7}));
  EXPECT_TRUE(reply->more);
  EXPECT_THAT(reply->pairs,
              ::testing::ElementsAre(EtcdPair{"/a/b", "x", 6}, EtcdPair{"/a/c", "", 7}));
}

TEST(EtcdMessage, ReadsWhatIsLeftOutAsZero) {
  const auto reply = range_reply(R"({"header":{"cluster_id":"1","revision":"1"}})");
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->pairs.empty());
  EXPECT_FALSE(reply->more);
}

TEST(EtcdMessage, RefusesWhatIsNotEtcds) {
  for (const char* text : {"", "[]", "{}", "<html>", R"({"header":{"revision":"x"}})",
                           R"({"header":{"revision":"1"},"kvs":[{"key":"L2EvYg"}]})",
                           R"({"header":{"revision":"1"},"kvs":[{"value":"eA=="}]})",
                           R"({"header":{"revision":"1"},"kvs":[7]})"}) {
    const auto reply = range_reply(text);
    ASSERT_FALSE(reply) << text;
    EXPECT_EQ(reply.error().code(), ErrorCode::kBadInput) << text;
  }
}

TEST(EtcdMessage, TellsPutsFromDeletionsInAWatch) {
  const auto reply =
      watch_reply(R"({"result":{"header":{"cluster_id":"1","revision":"8"},"events":[)"
                  R"({"kv":{"key":"L2EvYg==","mod_revision":"8","value":"eA=="}},)"
                  R"({"type":"DELETE","kv":{"key":"L2EvYw==","mod_revision":"8"}}]}})");
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_THAT(reply->events, ::testing::ElementsAre(EtcdEvent{false, {"/a/b", "x", 8}},
                                                    EtcdEvent{true, {"/a/c", "", 8}}));
}

TEST(EtcdMessage, KnowsAWatchThatWasCompactedAway) {
  const auto reply =
      watch_reply(R"({"result":{"header":{"cluster_id":"1","revision":"90"},"created":true}})");
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->created);
  EXPECT_FALSE(reply->canceled);
  const auto canceled =
      watch_reply(R"({"result":{"header":{"cluster_id":"1","revision":"90"},"canceled":true,)"
                  R"("compact_revision":"50"}})");
  ASSERT_TRUE(canceled);
  EXPECT_TRUE(canceled->canceled);
  EXPECT_EQ(canceled->compacted, 50);
}

TEST(EtcdMessage, TakesAnErrorInTheStreamForTheServersEnd) {
  const auto reply = watch_reply(
      R"({"error":{"grpc_code":14,"http_code":503,"message":"error reading from server: EOF"}})");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(reply.error().message(), ::testing::HasSubstr("error reading from server"));
}

TEST(EtcdMessage, AsksForAllKeysBehindAPrefix) {
  EXPECT_EQ(end_of_prefix("/a/"), "/a0");
  EXPECT_EQ(end_of_prefix(std::string("a\xff")), "b");
  EXPECT_EQ(end_of_prefix(std::string("\xff")), std::string(1, '\0'));
  EtcdRange range;
  range.key = "/a/";
  range.end = end_of_prefix("/a/");
  range.limit = 1000;
  EXPECT_EQ(to_json(range), R"({"key":"L2Ev","range_end":"L2Ew","limit":"1000"})");
}

TEST(EtcdMessage, WritesBinaryKeysWhole) {
  const std::string text =
      transaction({{std::string("\0\xff", 2), "v"}, {"gone", std::nullopt}}, 5);
  EXPECT_EQ(text, R"({"success":[{"request_put":{"key":"AP8=","value":"dg==","lease":"5"}},)"
                  R"({"request_delete_range":{"key":"Z29uZQ=="}}]})");
}

TEST(EtcdMessage, ReadsALeaseAloneAndInAStream) {
  const auto granted = lease_reply(R"({"header":{"revision":"1"},"ID":"77","TTL":"60"})");
  ASSERT_TRUE(granted);
  EXPECT_EQ(granted->id, 77);
  // TTL is left out where the lease is no more.
  const auto lost = lease_reply(R"({"result":{"header":{"revision":"1"},"ID":"77"}})");
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->seconds, 0);
}

TEST(EtcdMessage, WordsErrors) {
  EXPECT_EQ(error_words(R"({"error":"etcdserver: permission denied","code":7})"),
            "etcdserver: permission denied");
  EXPECT_EQ(error_words("Internal \x01 mess"), "Internal ? mess");
}

}  // namespace
}  // namespace fipd
