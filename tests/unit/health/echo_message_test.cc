#include "daemon/health/echo_message.h"

#include <sys/socket.h>

#include <gtest/gtest.h>

namespace fipd::health {
namespace {

constexpr EchoToken kToken{0x0123456789abcdef, 0x0000000100020003};

std::vector<std::byte> reply_of(int family) {
  std::vector<std::byte> bytes = echo_request(family, 0x1234, kToken);
  bytes[0] = static_cast<std::byte>(family == AF_INET ? 0 : 129);
  return bytes;
}

TEST(EchoMessage, RequestsHaveTheTypeAndAChecksumThatSumsUp) {
  const std::vector<std::byte> request = echo_request(AF_INET, 0x1234, kToken);
  EXPECT_EQ(std::to_integer<int>(request[0]), 8);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < request.size(); i += 2) {
    sum += std::to_integer<std::uint32_t>(request[i]) * 256 +
           std::to_integer<std::uint32_t>(request[i + 1]);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  EXPECT_EQ(sum, 0xffffU);
  EXPECT_EQ(std::to_integer<int>(echo_request(AF_INET6, 0, kToken)[0]), 128);
}

TEST(EchoMessage, FindsTheTokenInAReply) {
  EXPECT_EQ(decode_echo_reply(reply_of(AF_INET), AF_INET, false), kToken);
  EXPECT_EQ(decode_echo_reply(reply_of(AF_INET6), AF_INET6, false), kToken);
  std::vector<std::byte> with_header(24);
  with_header[0] = std::byte{0x46};  // 24 bytes of IP header
  const std::vector<std::byte> reply = reply_of(AF_INET);
  with_header.insert(with_header.end(), reply.begin(), reply.end());
  EXPECT_EQ(decode_echo_reply(with_header, AF_INET, true), kToken);
}

TEST(EchoMessage, TakesNothingElseForAReply) {
  EXPECT_FALSE(decode_echo_reply(echo_request(AF_INET, 1, kToken), AF_INET, false));
  EXPECT_FALSE(decode_echo_reply(reply_of(AF_INET6), AF_INET, false));
  EXPECT_FALSE(decode_echo_reply({}, AF_INET, true));
  std::vector<std::byte> cut = reply_of(AF_INET);
  while (!cut.empty()) {
    cut.pop_back();
    cut.shrink_to_fit();
    EXPECT_FALSE(decode_echo_reply(cut, AF_INET, false)) << cut.size();
  }
  std::vector<std::byte> header_only(20, std::byte{0x4f});
  EXPECT_FALSE(decode_echo_reply(header_only, AF_INET, true));
}

}  // namespace
}  // namespace fipd::health
