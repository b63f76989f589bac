#include "daemon/state/document.h"

#include <chrono>
#include <random>

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/state/text_file.h"

namespace fipd {
namespace {

using ::testing::HasSubstr;

Binding bound(std::string_view floating, std::string_view fixed) {
  Binding binding;
  binding.floating = parse_address(floating).value();
  binding.fixed = parse_address(fixed).value();
  return binding;
}

std::string json_error(std::string_view text) {
  const auto parsed = bindings_from_json(text);
  return parsed ? "none" : parsed.error().message();
}

std::string toml_error(std::string_view text) {
  const auto parsed = bindings_from_toml(text, "a.toml");
  return parsed ? "none" : parsed.error().message();
}

TEST(JsonBindings, HoldEveryKey) {
  const auto parsed = bindings_from_json(
      R"({"floating_ips": [{"floating": "172.16.1.3", "fixed": "10.65.0.13",
          "interface": "tap9a7e0868-da", "id": "i", "port": "p", "primary": true},
          {"floating": "2001:db8::3", "fixed": "fd00::13"}]})");
  ASSERT_TRUE(parsed) << parsed.error().message();
  Binding first = bound("172.16.1.3", "10.65.0.13");
  first.interface = "tap9a7e0868-da";
  first.id = "i";
  first.port = "p";
  first.primary = true;
  EXPECT_EQ(*parsed, (std::vector{first, bound("2001:db8::3", "fd00::13")}));
}

constexpr std::string_view kForwarding =
    R"({"floating_ips": [{"floating": "172.16.1.3",
        "forwards": ["udp/5000-5010=10.65.0.14:6000-6010", "tcp/443=10.65.0.13:8443"],
        "limits": {"in_bits": 100000000, "in_burst": 1000000, "out_bits": 8000, "out_burst": 65536,
                   "new_connections": 100, "new_connections_burst": 50, "connections": 1000},
        "preference": 0, "color": 7, "shared": true, "check": "tcp/443"}]})";

Binding forwarding() {
  Binding binding;
  binding.floating = parse_address("172.16.1.3").value();
  Extras& extras = binding.extras.edit();
  extras.forwards = {
      {Protocol::kTcp, 443, 1, parse_address("10.65.0.13").value(), 8443},
      {Protocol::kUdp, 5000, 11, parse_address("10.65.0.14").value(), 6000},
  };
  extras.limits = Limits{100000000, 1000000, 8000, 65536, 100, 50, 1000};
  extras.preference = 0;
  extras.color = 7;
  extras.shared = true;
  extras.check = HealthCheck{HealthCheck::Kind::kTcp, 443};
  return binding;
}

TEST(JsonBindings, HoldWhatFewHave) {
  const auto parsed = bindings_from_json(kForwarding);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(*parsed, std::vector{forwarding()});
}

TEST(TomlBindings, HoldWhatFewHave) {
  const auto parsed = bindings_from_toml(R"(
[[floating_ip]]
floating = "172.16.1.3"
forwards = ["udp/5000-5010=10.65.0.14:6000-6010", "tcp/443=10.65.0.13:8443"]
preference = 0
color = 7
shared = true
check = "tcp/443"
[floating_ip.limits]
in_bits = 100_000_000
in_burst = 1000000
out_bits = 8000
out_burst = 65536
new_connections = 100
new_connections_burst = 50
connections = 1000
)",
                                         "a.toml");
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(*parsed, std::vector{forwarding()});
}

TEST(JsonBindings, SayWhatIsWrongWithWhatFewHave) {
  const auto with = [](std::string_view members) {
    return json_error(
        fmt::format(R"({{"floating_ips": [{{"floating": "1.2.3.4", {}}}]}})", members));
  };
  EXPECT_EQ(with(R"("fixed": "10.0.0.1", "forwards": ["tcp/1=10.0.0.1:1"])"),
            "floating_ips[0]: has 'fixed' and 'forwards': write 'fixed' for all ports of one "
            "instance, or 'forwards' for single ones");
  EXPECT_THAT(with(R"("forwards": [])"), HasSubstr("floating_ips[0].forwards: is empty"));
  EXPECT_THAT(with(R"("forwards": "tcp/1=10.0.0.1:1")"),
              HasSubstr("forwards: is a string: write ["));
  EXPECT_THAT(with(R"("forwards": ["tcp/1=10.0.0.1:1", 7])"), HasSubstr("entry 2 is a number"));
  EXPECT_THAT(with(R"("forwards": ["tcp/1=[fd00::1]:1"])"),
              HasSubstr("1.2.3.4 cannot forward tcp/1=[fd00::1]:1"));
  EXPECT_THAT(with(R"("forwards": ["tcp/1-5=10.0.0.1:1-5", "tcp/5=10.0.0.2:5"])"),
              HasSubstr("tcp/5 is forwarded twice: by tcp/1-5=10.0.0.1:1-5 and by tcp/5=10.0.0.2"));
  EXPECT_EQ(with(R"("forwards": ["tcp/1-5=10.0.0.1:1-5", "udp/5=10.0.0.2:5"])"), "none");
  const std::string fixed = R"("fixed": "10.0.0.1", )";
  EXPECT_THAT(with(fixed + R"("limits": 5)"), HasSubstr("limits: is a number: write the limits"));
  EXPECT_EQ(with(fixed + R"("limits": {"in_bit": 5})"),
            "floating_ips[0].limits: in_bit: is not known (did you mean 'in_bits'?)");
  EXPECT_THAT(with(fixed + R"("limits": {"in_bits": 100000000001})"),
              HasSubstr("write a whole number from 0 to 100000000000"));
  EXPECT_THAT(with(fixed + R"("limits": {"in_bits": 18446744073709551615})"),
              HasSubstr("write a whole number from 0"));
  EXPECT_THAT(with(fixed + R"("limits": {"in_bits": 1.5})"), HasSubstr("write a whole number"));
  EXPECT_THAT(with(fixed + R"("limits": {"connections": -1})"), HasSubstr("-1 is out of range"));
  EXPECT_THAT(with(fixed + R"("limits": {"out_bits": 7999})"), HasSubstr("is too little"));
  EXPECT_THAT(with(fixed + R"("limits": {"in_burst": 70000})"), HasSubstr("without in_bits"));
  EXPECT_THAT(with(fixed + R"("limits": {"out_bits": 8000, "out_burst": 1500})"),
              HasSubstr("write out_burst = 65536"));
  EXPECT_THAT(with(fixed + R"("limits": {"new_connections_burst": 5})"),
              HasSubstr("without new_connections"));
  EXPECT_THAT(with(fixed + R"("limits": {"connections": [[1]]})"), HasSubstr("is an array"));
  EXPECT_THAT(with(fixed + R"("preference": 201)"), HasSubstr("from 0 to 200"));
  EXPECT_THAT(with(fixed + R"("color": 0)"), HasSubstr("from 1 to 65535"));
  EXPECT_THAT(with(fixed + R"("shared": "yes")"), HasSubstr("write true or false"));
  for (const char* bad : {"tcp/0", "tcp/65536", "tcp/1-2", "tcp", "udp/1", "icmp/1", ""}) {
    EXPECT_THAT(with(fixed + fmt::format(R"("check": "{}")", bad)),
                HasSubstr("write \"tcp/443\" or \"icmp\""))
        << bad;
  }
  EXPECT_THAT(with(fixed + R"("chek": "icmp")"), HasSubstr("did you mean 'check'?"));
}

TEST(JsonBindings, ForwardNoMorePortsThanTheLimit) {
  const auto with = [](std::string_view forwards) {
    return json_error(fmt::format(
        R"({{"floating_ips": [{{"floating": "1.2.3.4", "forwards": [{}]}}]}})", forwards));
  };
  EXPECT_EQ(with(R"("tcp/1-4096=10.0.0.1:1-4096")"), "none");
  EXPECT_THAT(with(R"("tcp/1-4097=10.0.0.1:1-4097")"),
              HasSubstr("4097 ports are more than the 4096"));
  EXPECT_THAT(with(R"("tcp/1-4096=10.0.0.1:1-4096", "udp/1=10.0.0.1:1")"),
              HasSubstr("4097 ports are more than the 4096"));
  std::string many = R"("tcp/1=10.0.0.1:1")";
  for (int i = 0; i < 4096; ++i) many += R"(, "tcp/1=10.0.0.1:1")";
  EXPECT_THAT(with(many), HasSubstr("4097 are more than the 4096"));
}

TEST(JsonBindings, MayBeNone) {
  EXPECT_EQ(bindings_from_json(R"({"floating_ips": []})")->size(), 0U);
}

TEST(JsonBindings, SayWhereAndWhatIsWrong) {
  const auto entry = [](std::string_view body) {
    return fmt::format(
        R"({{"floating_ips": [{{"floating": "172.16.1.4", "fixed": "10.65.0.14"}}, {{{}}}]}})",
        body);
  };
  EXPECT_EQ(json_error(entry(R"("floating": "172.16.1.300", "fixed": "10.65.0.13")")),
            "floating_ips[1].floating: '172.16.1.300' is not an IP address: write the floating IP, "
            "like \"172.16.1.3\"");
  EXPECT_EQ(json_error(entry(R"("floating": "172.16.1.3", "fixd": "10.65.0.13")")),
            "floating_ips[1].fixd: is not known (did you mean 'fixed'?)");
  EXPECT_EQ(json_error(entry(R"("floating": "172.16.1.3")")),
            "floating_ips[1]: 'fixed' is missing");
  EXPECT_EQ(json_error(entry(R"("fixed": "172.16.1.3")")),
            "floating_ips[1]: 'floating' is missing");
  EXPECT_EQ(json_error(entry(R"("floating": 5, "fixed": "10.65.0.13")")),
            "floating_ips[1].floating: is a number: write the floating IP, like \"172.16.1.3\"");
  EXPECT_EQ(json_error(entry(R"("floating": "172.16.1.3", "fixed": "fd00::1")")),
            "floating_ips[1]: 172.16.1.3 and fd00::1 are of different families: both must be IPv4, "
            "or both IPv6");
  EXPECT_EQ(json_error(entry(R"("floating": "172.16.1.4", "fixed": "10.65.0.13")")),
            "floating_ips[1].floating: 172.16.1.4 is at floating_ips[0], too");
  EXPECT_EQ(json_error(entry(R"("floating": "1.2.3.4", "fixed": "1.2.3.5", "primary": 1)")),
            "floating_ips[1].primary: is a number: write true or false");
}

TEST(JsonBindings, SayWhereTheTextIsNotJson) {
  EXPECT_THAT(json_error("{\"floating_ips\": [\n  {\"floating\": }]}"),
              HasSubstr("2:16: not JSON"));
  EXPECT_THAT(json_error(""), HasSubstr("not JSON"));
  EXPECT_THAT(json_error("{\"floating_ips\": []"), HasSubstr("not JSON"));
  EXPECT_THAT(json_error("{\"floating_ips\": []} x"), HasSubstr("not JSON"));
  EXPECT_THAT(json_error("[]"), HasSubstr("is an array"));
  EXPECT_THAT(json_error("{}"), HasSubstr("'floating_ips' is missing"));
  EXPECT_THAT(json_error(R"({"floating_ip": []})"), HasSubstr("did you mean 'floating_ips'?"));
  EXPECT_THAT(json_error(R"({"floating_ips": {}})"), HasSubstr("is an object: write an array"));
  EXPECT_THAT(json_error(R"({"floating_ips": [7]})"), HasSubstr("floating_ips[0] is a number"));
}

TEST(JsonBindings, NestNoDeeperThanTheyMust) {
  EXPECT_THAT(json_error(std::string(100000, '[')), HasSubstr("not JSON"));
}

TEST(JsonBindings, KeepForeignTextsShortAndHarmless) {
  const auto with = [](std::string_view key, const std::string& value) {
    return json_error(fmt::format(
        R"({{"floating_ips": [{{"floating": "1.2.3.4", "fixed": "1.2.3.5", "{}": "{}"}}]}})", key,
        value));
  };
  EXPECT_EQ(with("id", std::string(kMaxOpaqueText, 'x')), "none");
  EXPECT_THAT(with("id", std::string(kMaxOpaqueText + 1, 'x')), HasSubstr("longer than 128"));
  EXPECT_THAT(with("port", "a\\u0007"), HasSubstr("control character"));
  EXPECT_THAT(with("port", "a\\u009b"), HasSubstr("control character"));
  EXPECT_EQ(with("interface", "tap9a7e0868-da1"), "none");
  EXPECT_THAT(with("interface", "tap9a7e0868-da12"), HasSubstr("longer than the 15 bytes"));
  for (const char* bad : {".", "..", "a/b", "a b", "a:b", "a\\n"}) {
    EXPECT_THAT(with("interface", bad), HasSubstr("cannot be the name")) << bad;
  }
  EXPECT_THAT(with("a\\u001b[2J", "x"), ::testing::Not(HasSubstr("\x1b")));
}

TEST(TomlBindings, HoldEveryKey) {
  const auto parsed = bindings_from_toml(R"(
[[floating_ip]]
floating = "172.16.1.3"
fixed = "10.65.0.13"
interface = "tap9a7e0868-da"
id = "i"
port = "p"
primary = true
[[floating_ip]]
floating = "2001:db8::3"
fixed = "fd00::13"
)",
                                         "a.toml");
  ASSERT_TRUE(parsed) << parsed.error().message();
  ASSERT_EQ(parsed->size(), 2U);
  EXPECT_EQ((*parsed)[0].interface, "tap9a7e0868-da");
  EXPECT_EQ((*parsed)[0].id, "i");
  EXPECT_EQ((*parsed)[0].port, "p");
  EXPECT_TRUE((*parsed)[0].primary);
  EXPECT_EQ((*parsed)[1], bound("2001:db8::3", "fd00::13"));
}

TEST(TomlBindings, TellNoneFromACutFile) {
  EXPECT_EQ(bindings_from_toml("floating_ip = []", "a.toml")->size(), 0U);
  EXPECT_THAT(toml_error(""), HasSubstr("a.toml:1:1: no [[floating_ip]] in it"));
  EXPECT_THAT(toml_error("# nothing\n"), HasSubstr("floating_ip = []"));
}

TEST(TomlBindings, SayLineColumnAndRemedy) {
  EXPECT_EQ(toml_error("[[floating_ip]]\nfloating = \"172.16.1.3\"\nfixd = \"10.65.0.13\"\n"),
            "a.toml:3:1: fixd: is not known (did you mean 'fixed'?)");
  EXPECT_EQ(toml_error("[[floating_ip]]\nfloating = \"172.16.1.3\"\nfixed = 10\n"),
            "a.toml:3:1: fixed: is an integer: write the instance's address, like \"10.65.0.13\"");
  EXPECT_EQ(toml_error("\n[[floating_ip]]\nfloating = \"172.16.1.3\"\n"),
            "a.toml:2:1: 'fixed' is missing");
  EXPECT_THAT(toml_error("[[floating_ip]]\nfloating = \n"), HasSubstr("a.toml:2:12: "));
  EXPECT_EQ(toml_error("[[floating_ip]]\nfloating = \"1.2.3.4\"\nfixed = \"1.2.3.5\"\n"
                       "[[floating_ip]]\nfloating = \"1.2.3.4\"\nfixed = \"1.2.3.6\"\n"),
            "a.toml:4:1: 1.2.3.4 is at a.toml:1:1, too");
  EXPECT_THAT(toml_error("[[floating_ips]]\n"), HasSubstr("did you mean 'floating_ip'?"));
  EXPECT_THAT(toml_error("floating_ip = 3\n"), HasSubstr("is an integer: write [[floating_ip]]"));
  EXPECT_THAT(toml_error("floating_ip = [3]\n"), HasSubstr("a floating IP is an integer"));
  EXPECT_THAT(toml_error("[floating_ip]\n"), HasSubstr("is a table: write [[floating_ip]]"));
}

TEST(TomlBindings, SurviveKeysThatNestWithoutEnd) {
  std::string dotted = "a";
  for (int i = 0; i < 200000; ++i) dotted += ".a";
  EXPECT_THAT(toml_error(dotted + " = 1"), HasSubstr("a.toml:1:66: a key of more than"));
  EXPECT_THAT(toml_error("\n[" + dotted + "]"), HasSubstr("a.toml:2:67: a key of more than"));
  std::string quoted = "\"#'=\"";
  for (int i = 0; i < 200000; ++i) quoted += ".'[\"=#'";
  EXPECT_THAT(toml_error(quoted + " = 1"), HasSubstr("a key of more than"));
  EXPECT_THAT(toml_error("a = " + std::string(200000, '[')), HasSubstr("a.toml:1:"));
}

// Found by the fuzzer; see daemon/state/toml.cc. Can fail in a debug build only.
TEST(TomlBindings, SurviveForeignCharactersWhereAKeyShouldBe) {
  EXPECT_EQ(toml_error("\n a\xc4\x8f = 1"), "a.toml:2:3: a character that must be within quotes");
  EXPECT_EQ(toml_error("a = \"\"\"\\ \xc4\x8f"),
            "a.toml:1:5: a multi-line string: write it in one line");
  EXPECT_EQ(toml_error("\xef\xbb\xbf"
                       "floating_ip = [] # \xc4\x8f"),
            "none");
  for (const std::string text : {"[:", "[[ \x01", "[\n", "[[\xc3\xbc"}) {
    EXPECT_THAT(toml_error(text), HasSubstr("a.toml:1:")) << text;
  }
}

TEST(TomlBindings, TakeDotsForWhatTheyAre) {
  const std::string dots(300, '.');
  EXPECT_EQ(toml_error("# " + dots + "\nfloating_ip = [] # " + dots), "none");
  EXPECT_THAT(toml_error("[[floating_ip]]\nid = \"" + dots + "\""), HasSubstr("longer than 128"));
}

// Bindings as anybody may write them, from one seed.
class Arbitrary {
 public:
  explicit Arbitrary(unsigned seed) : random_(seed) {}

  Binding binding() {
    Binding out;
    const bool v4 = below(2) == 0;
    out.floating = address(v4);
    out.fixed = address(v4);
    if (below(2) == 0) out.interface = "tap" + word(12, "abcdef0123456789-.\"\\");
    if (below(2) == 0) out.id = word(kMaxOpaqueText, "ab \"\\/\x7e{}[],:'.#");
    if (below(2) == 0) out.port = word(20, "\"\\ab\xc3\xbc");
    out.primary = below(2) == 0;
    if (below(4) == 0) add_extras(out, v4);
    return out;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  std::uint16_t port() { return static_cast<std::uint16_t>(1 + below(60000)); }
  void add_extras(Binding& out, bool v4) {
    constexpr Protocol kProtocols[] = {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp};
    Extras& extras = out.extras.edit();
    if (below(2) == 0) {
      out.fixed = IpAddress();
      for (const Protocol protocol : kProtocols) {
        const auto count = static_cast<std::uint16_t>(1 + below(1000));
        extras.forwards.push_back({protocol, port(), count, address(v4), port()});
      }
    }
    if (below(2) == 0) {
      Limits& limits = extras.limits.emplace();
      if (below(2) == 0) limits.in_bits = 8000 + below(90'000'000'000);
      if (limits.in_bits != 0 && below(2) == 0) limits.in_burst = 65536 + below(100000);
      limits.new_connections = static_cast<std::uint32_t>(below(3));
      limits.connections = static_cast<std::uint32_t>(below(3));
    }
    if (below(2) == 0) extras.preference = static_cast<unsigned>(below(201));
    extras.color = static_cast<std::uint16_t>(below(3));
    extras.shared = below(2) == 0;
    if (below(3) == 0) extras.check = HealthCheck{HealthCheck::Kind::kTcp, port()};
    if (below(3) == 0) extras.check = HealthCheck{};
  }
  IpAddress address(bool v4) {
    std::array<std::uint8_t, 16> bytes;
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(below(256));
    bytes[0] = 0x20;
    return from_bytes(bytes.data(), v4 ? 4 : 16);
  }
  std::string word(std::size_t longest, std::string_view letters) {
    std::string out;
    const std::size_t size = below(longest);
    while (out.size() < size) {
      const char c = letters[below(letters.size())];
      // The umlaut goes in whole.
      if (c == '\xc3' || c == '\xbc') {
        if (out.size() + 2 <= size)
          out += "\xc3\xbc";
        else
          out += 'u';
      } else {
        out += c;
      }
    }
    return out;
  }
  std::mt19937 random_;
};

std::string toml_of(const Binding& binding) {
  // A JSON string is a TOML basic string, but that TOML has no "\/".
  const auto quoted = [](const std::string& text) {
    return boost::json::serialize(boost::json::value(text));
  };
  std::string out = fmt::format(
      "[[floating_ip]]\nfloating = {}\ninterface = {}\nid = {}\nport = {}\nprimary = {}\n",
      quoted(binding.floating.to_string()), quoted(binding.interface), quoted(binding.id),
      quoted(binding.port), binding.primary);
  if (binding.forwards().empty()) {
    out += fmt::format("fixed = {}\n", quoted(binding.fixed.to_string()));
  }
  const boost::json::object json = to_json(binding);
  for (const std::string_view key : {"forwards", "preference", "color", "shared", "check"}) {
    const boost::json::value* value = json.if_contains(key);
    if (value != nullptr) out += fmt::format("{} = {}\n", key, boost::json::serialize(*value));
  }
  if (const boost::json::value* limits = json.if_contains("limits")) {
    out += "[floating_ip.limits]\n";
    for (const auto& each : limits->get_object()) {
      const std::string_view key = each.key();
      out += fmt::format("{} = {}\n", key, boost::json::serialize(each.value()));
    }
  }
  return out;
}

TEST(Bindings, ComeBackAsTheyWereWrittenInBothForms) {
  Arbitrary arbitrary(7);
  std::vector<Binding> bindings;
  boost::json::array array;
  std::string toml;
  for (int i = 0; i < 3000; ++i) {
    bindings.push_back(arbitrary.binding());
    array.push_back(to_json(bindings.back()));
    toml += toml_of(bindings.back());
  }
  boost::json::object document;
  document["floating_ips"] = std::move(array);
  const auto from_json = bindings_from_json(boost::json::serialize(document));
  ASSERT_TRUE(from_json) << from_json.error().message();
  EXPECT_TRUE(*from_json == bindings);
  const auto from_toml = bindings_from_toml(toml, "a.toml");
  ASSERT_TRUE(from_toml) << from_toml.error().message();
  EXPECT_TRUE(*from_toml == bindings);
}

TEST(Bindings, LeaveDefaultsUnwritten) {
  EXPECT_EQ(boost::json::serialize(to_json(bound("172.16.1.3", "10.65.0.13"))),
            R"({"floating":"172.16.1.3","fixed":"10.65.0.13"})");
}

template <typename Parse>
double milliseconds(Parse parse) {
  const auto start = std::chrono::steady_clock::now();
  parse();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  return took.count();
}

std::string address_of(int first, int i) {
  return fmt::format("{}.{}.{}.{}", first, i >> 16, (i >> 8) & 255, i & 255);
}

// Bounds ten times what it takes, against a quadratic step; the figures go into the XML report.
TEST(Bindings, AreReadInTimeThatGrowsWithTheirNumberOnly) {
  std::string toml;
  std::string json = R"({"floating_ips":[)";
  for (int i = 0; i < 100000; ++i) {
    toml += fmt::format(
        "[[floating_ip]]\nfloating = \"{}\"\nfixed = \"{}\"\ninterface = "
        "\"tap{:08x}-da\"\n\n",
        address_of(172, i), address_of(10, i), i);
    if (i >= 50000) continue;
    json += fmt::format(R"({}{{"floating":"{}","fixed":"{}","interface":"tap{:08x}-da"}})",
                        i == 0 ? "" : ",", address_of(172, i), address_of(10, i), i);
  }
  json += "]}";
  const double toml_ms =
      milliseconds([&] { EXPECT_EQ(bindings_from_toml(toml, "a.toml")->size(), 100000U); });
  const double json_ms = milliseconds([&] { EXPECT_EQ(bindings_from_json(json)->size(), 50000U); });
  RecordProperty("toml_100000_ms", static_cast<int>(toml_ms));
  RecordProperty("json_50000_ms", static_cast<int>(json_ms));
  std::printf("100,000 of TOML: %.0f ms; 50,000 of JSON: %.0f ms\n", toml_ms, json_ms);
  EXPECT_LT(toml_ms, 10000);
  EXPECT_LT(json_ms, 5000);
}

TEST(Bindings, AreLimitedInNumberAndSize) {
  std::string json = R"({"floating_ips":[)";
  for (std::size_t i = 0; i < kMaxBindings; ++i) json += "0,";
  EXPECT_THAT(json_error(json + "0]}"), HasSubstr("250001 floating IPs are more than the 250000"));
  const std::string huge(kMaxDocumentBytes + 1, ' ');
  EXPECT_EQ(bindings_from_json(huge).error().code(), ErrorCode::kLimit);
  EXPECT_EQ(bindings_from_toml(huge, "a.toml").error().code(), ErrorCode::kLimit);
}

}  // namespace
}  // namespace fipd
