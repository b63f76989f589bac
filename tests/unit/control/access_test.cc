#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "daemon/control/peer.h"

namespace fipd::control {
namespace {

constexpr gid_t kFipd = 990;

TEST(Access, RootMayDoEverything) {
  EXPECT_EQ(access_of({0, 0, {}}, kFipd, false), (Access{true, true}));
  EXPECT_EQ(access_of({0, 0, {}}, std::nullopt, false), (Access{true, true}));
}

TEST(Access, TheGroupMayDoEverythingAsPrimaryAndAsOneOfMany) {
  EXPECT_EQ(access_of({1000, kFipd, {}}, kFipd, false), (Access{true, true}));
  EXPECT_EQ(access_of({1000, 100, {4, 27, kFipd}}, kFipd, false), (Access{true, true}));
}

TEST(Access, OthersMayNothingOrRead) {
  EXPECT_EQ(access_of({1000, 100, {4, 27}}, kFipd, false), (Access{false, false}));
  EXPECT_EQ(access_of({1000, 100, {4, 27}}, kFipd, true), (Access{true, false}));
}

TEST(Access, WithoutTheGroupNobodyIsAMember) {
  EXPECT_EQ(access_of({1000, static_cast<gid_t>(-1), {}}, std::nullopt, false),
            (Access{false, false}));
}

TEST(Access, CredentialsComeFromTheKernel) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const auto peer = peer_credentials(ends[0]);
  ASSERT_TRUE(peer) << peer.error().message();
  EXPECT_EQ(peer->uid, getuid());
  EXPECT_EQ(peer->gid, getgid());
  EXPECT_EQ(peer->groups.size(), static_cast<std::size_t>(getgroups(0, nullptr)));
  close(ends[0]);
  close(ends[1]);
}

TEST(Access, AnUnknownGroupIsNone) {
  EXPECT_EQ(find_group("root"), gid_t{0});
  EXPECT_FALSE(find_group("no-such-group"));
}

}  // namespace
}  // namespace fipd::control
