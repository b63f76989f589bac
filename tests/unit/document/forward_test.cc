#include "daemon/state/forward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fipd {
namespace {

using ::testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto parsed = parse_forward(text);
  return parsed ? "none" : parsed.error().message();
}

TEST(Forwards, AreReadAsTheyAreWritten) {
  const Forward one{Protocol::kTcp, 443, 1, parse_address("10.65.0.13").value(), 8443};
  EXPECT_EQ(parse_forward("tcp/443=10.65.0.13:8443").value(), one);
  const Forward range{Protocol::kUdp, 5000, 11, parse_address("10.65.0.14").value(), 6000};
  EXPECT_EQ(parse_forward("udp/5000-5010=10.65.0.14:6000-6010").value(), range);
  const Forward six{Protocol::kSctp, 65535, 1, parse_address("fd00:65::13").value(), 1};
  EXPECT_EQ(parse_forward("sctp/65535=[fd00:65::13]:1").value(), six);
  for (const char* text : {"tcp/443=10.65.0.13:8443", "udp/5000-5010=10.65.0.14:6000-6010",
                           "sctp/65535=[fd00:65::13]:1", "tcp/1-4096=[fd00::]:61440-65535"}) {
    EXPECT_EQ(to_string(parse_forward(text).value()), text);
  }
  EXPECT_EQ(to_string(parse_forward("udp/7-7=10.65.0.14:9").value()), "udp/7=10.65.0.14:9");
}

TEST(Forwards, SayWhatIsWrong) {
  for (const char* bad : {"", "tcp", "tcp/443", "443=10.65.0.13:8443", "tcp=443/10.65.0.13:8443"}) {
    EXPECT_EQ(error_of(bad), fmt::format("'{}' is not a forward: write it like "
                                         "tcp/443=10.65.0.13:8443",
                                         bad));
  }
  EXPECT_EQ(error_of("tpc/443=10.65.0.13:8443"),
            "'tpc/443=10.65.0.13:8443': 'tpc' is not forwarded: write tcp, udp or sctp (did you "
            "mean 'tcp'?)");
  EXPECT_THAT(error_of("icmp/1=10.65.0.13:1"), HasSubstr("'icmp' is not forwarded"));
  for (const char* port :
       {"0", "65536", "-1", "", "http", "+1", "1 ", "01", "99999999999999999999"}) {
    EXPECT_THAT(error_of(fmt::format("tcp/{}=10.65.0.13:1", port)), HasSubstr("is not a port"))
        << port;
    EXPECT_THAT(error_of(fmt::format("tcp/1=10.65.0.13:{}", port)), HasSubstr("is not a port"))
        << port;
  }
  EXPECT_THAT(error_of("tcp/9-5=10.65.0.13:5-9"), HasSubstr("write 5-9"));
  EXPECT_THAT(error_of("tcp/1-2=10.65.0.13:5"), HasSubstr("2 ports to 1: both ranges"));
  EXPECT_THAT(error_of("tcp/1-4097=10.65.0.13:1-4097"), HasSubstr("4097 ports are more than"));
  EXPECT_THAT(error_of("tcp/1=10.65.0.13"), HasSubstr("the port of the instance is missing"));
  for (const char* target : {"[10.65.0.13]:1", "fd00::1:1", "[fd00::1:1", "fd00::1]:1", ":1",
                             "[]:1", "10.65.0:1", "host:1"}) {
    EXPECT_THAT(error_of(fmt::format("tcp/1={}", target)),
                HasSubstr("is not an address and a port"))
        << target;
  }
}

TEST(Forwards, AreNamedShortlyForPeople) {
  Binding binding;
  binding.fixed = parse_address("10.65.0.13").value();
  EXPECT_EQ(to_string(target_of(binding)), "10.65.0.13");
  binding.extras.edit().forwards = {parse_forward("tcp/443=10.65.0.13:8443").value()};
  EXPECT_EQ(to_string(target_of(binding)), "tcp/443=10.65.0.13:8443");
  binding.extras.edit().forwards.push_back(parse_forward("udp/1=10.65.0.13:1").value());
  EXPECT_EQ(to_string(target_of(binding)), "tcp/443=10.65.0.13:8443 and 1 more");
}

}  // namespace
}  // namespace fipd
