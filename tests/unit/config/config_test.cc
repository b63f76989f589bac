#include "daemon/config.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/config_settings.h"

namespace fipd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string error_of(std::string text) {
  const ConfigText one{"fipd.toml", std::move(text)};
  const Result<Config> config = parse_config(std::span(&one, 1));
  return config ? "none" : config.error().message();
}

Config config_of(std::string text) {
  const ConfigText one{"fipd.toml", std::move(text)};
  Result<Config> config = parse_config(std::span(&one, 1));
  EXPECT_TRUE(config) << config.error().message();
  return config.value_or(Config{});
}

std::vector<std::string> differences(const Config& a, const Config& b) {
  std::vector<std::string> out;
  for (const Setting& setting : settings()) {
    if (!setting.equal(a, b)) out.push_back(fmt::format("{}.{}", setting.section, setting.key));
  }
  return out;
}

std::string shipped() {
  std::ifstream in(FIPD_CONF_FILE);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Config defaults() {
  Config config;
  std::array<char, 256> name{};
  EXPECT_EQ(::gethostname(name.data(), name.size() - 1), 0);
  config.host.name = name.data();
  return config;
}

TEST(ShippedConfiguration, IsTheDefaults) {
  EXPECT_THAT(differences(config_of(shipped()), defaults()), IsEmpty());
  EXPECT_THAT(differences(config_of(""), defaults()), IsEmpty());
}

TEST(ShippedConfiguration, ShowsEverySettingWithItsDefault) {
  const std::string all = std::regex_replace(shipped(), std::regex("\n#([a-z_]+ = )"), "\n$1");
  ASSERT_NE(all, shipped());
  EXPECT_THAT(differences(config_of(all), defaults()), IsEmpty());
  const toml::parse_result document = toml::parse(all);
  ASSERT_TRUE(document);
  for (const Setting& setting : settings()) {
    EXPECT_TRUE(document[setting.section][setting.key])
        << setting.section << "." << setting.key << " is not in conf/fipd.toml";
  }
}

TEST(Configuration, TakesWhatIsWritten) {
  const Config config = config_of(R"(
[host]
name = "compute-1"
[control]
read_by_all = true
[route]
table = 200
metric = 2000
preferred_metric = 100
drained_metric = 9000
settle = "9s"
[health]
interval = "3s"
timeout = "500ms"
rise = 4
fall = 5
jitter = 0.3
on_failure = "withdraw"
brake_share = 0.25
brake_above = 7
[nat]
snat = "hairpin"
internal = ["10.65.0.0/16", "fd00::/8"]
linger = "1m"
[bird]
timeout = "500ms"
interval = "3s"
kernel_protocols = ["k4", "k6"]
sessions = ["tor1"]
[sources]
order = ["files", "api"]
hold_share = 1
hold_above = 0
[metrics]
listen = "[::1]:9472"
[metadata]
listen = ["127.0.0.1:8775", "[fd00:a9fe::1]:8776"]
interfaces = ["tap*", "eth1", "tap*"]
[floating_ip_limits]
in_bits = 100_000_000
in_burst = 1_000_000
connections = 1000
)");
  EXPECT_EQ(config.host.name, "compute-1");
  EXPECT_TRUE(config.control.read_by_all);
  EXPECT_EQ(config.route.table, 200U);
  EXPECT_EQ(config.route.drained_metric, 9000U);
  EXPECT_EQ(config.route.settle, std::chrono::seconds(9));
  EXPECT_EQ(config.health.interval, std::chrono::seconds(3));
  EXPECT_EQ(config.health.timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(config.health.rise, 4U);
  EXPECT_EQ(config.health.fall, 5U);
  EXPECT_DOUBLE_EQ(config.health.jitter, 0.3);
  EXPECT_EQ(config.health.on_failure, "withdraw");
  EXPECT_DOUBLE_EQ(config.health.brake_share, 0.25);
  EXPECT_EQ(config.health.brake_above, 7U);
  EXPECT_EQ(config.nat.snat, nat::SnatMode::kHairpin);
  EXPECT_EQ(config.nat.internal.size(), 2U);
  EXPECT_EQ(config.nat.linger, std::chrono::minutes(1));
  EXPECT_EQ(config.bird.timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(config.bird.interval, std::chrono::seconds(3));
  EXPECT_THAT(config.sources.order, ElementsAre("files", "api", "etcd", "calico"));
  EXPECT_THAT(config.bird.kernel_protocols, ElementsAre("k4", "k6"));
  EXPECT_THAT(config.bird.sessions, ElementsAre("tor1"));
  EXPECT_EQ(config.sources.hold_share, 1.0);
  EXPECT_EQ(config.metrics.listen, "[::1]:9472");
  ASSERT_EQ(config.metadata.listen.size(), 2U);
  EXPECT_EQ(config.metadata.listen[1].address.to_string(), "fd00:a9fe::1");
  EXPECT_EQ(config.metadata.listen[1].port, 8776);
  EXPECT_THAT(config.metadata.interfaces, ElementsAre("eth1", "tap*"));
  EXPECT_EQ(config.floating_ip_limits.in_bits, 100000000U);
  EXPECT_EQ(config.floating_ip_limits.out_bits, 0U);
  EXPECT_EQ(config.floating_ip_limits.connections, 1000U);
}

TEST(Configuration, SaysWhereWhatAndTheRemedy) {
  EXPECT_EQ(error_of("[nat]\nsnat = \"egres\"\n"),
            "fipd.toml:2:8: nat.snat: 'egres' is not \"egress\" or \"hairpin\" (did you mean "
            "'egress'?)");
  EXPECT_EQ(error_of("[nat]\nsnatt = \"egress\"\n"),
            "fipd.toml:2:1: nat.snatt: no such setting (did you mean 'snat'?)");
  EXPECT_EQ(error_of("[rout]\n"), "fipd.toml:1:2: [rout]: no such section (did you mean 'route'?)");
  EXPECT_THAT(error_of("table = 5\n"), HasSubstr("fipd.toml:1:1: table: is an integer outside"));
  EXPECT_EQ(error_of("[route]\ntable = \"172\"\n"),
            "fipd.toml:2:9: route.table: is a string: write an integer");
  EXPECT_THAT(error_of("[route]\ntable = \n"), HasSubstr("fipd.toml:2:9: "));
}

TEST(Configuration, RefusesWhatCannotBe) {
  const std::pair<const char*, const char*> cases[] = {
      {"[route]\ntable = 0", "write 1 to 4294967295"},
      {"[route]\ntable = 254", "the system's own table"},
      {"[route]\ntable = 4294967296", "out of range"},
      {"[route]\nprotocol = 4", "write 5 to 255"},
      {"[route]\nprotocol = 12", "of bird"},
      {"[route]\nmetric = -1", "out of range"},
      {"[route]\nsettle = \"11m\"", "10m"},
      {"[health]\nrise = 0", "write 1 to 100"},
      {"[health]\njitter = 1.5", "0"},
      {"[health]\non_failure = \"drian\"", "drain"},
      {"[route]\nmetric = 4096", "metric 4096 < drained_metric 4096 does not hold"},
      {"[nat]\ntable = \"a b\"", "not a name for nft"},
      {"[nat]\ntable = \"dnat\"", "a word of nft's language"},
      {"[nat]\ninternal = [\"10.65.0.1/16\"]", "10.65.0.0/16"},
      {"[nat]\ninternal = [5]", "is an integer"},
      {"[nat]\ninternal = \"10.0.0.0/8\"", "an array of strings"},
      {"[nat]\nlinger = 2000", "with its unit"},
      {"[nat]\nlinger = \"2 s\"", "is not a time"},
      {"[nat]\nlinger = \"6m\"", "write \"0ms\" to \"5m\""},
      {"[nat]\nlinger = \"9223372036854775807m\"", "out of range"},
      {"[nat]\nlinger = \"-1s\"", "is not a time"},
      {"[pools]\nallowed = [\"224.1.0.0/16\"]", "no address can be a floating IP"},
      {"[sources]\norder = []", "write the sources"},
      {"[sources]\norder = [\"api\", \"api\"]", "'api' is there twice"},
      {"[sources]\norder = [\"api\", \"file\"]", "did you mean 'files'?"},
      {"[sources]\norder = [\"api\", \"calcio\"]", "did you mean 'calico'?"},
      {"[calico]\nenabled = true", "write calico.endpoints"},
      {"[calico]\nuser = \"felix\"", "go with calico.endpoints"},
      {"[calico]\npassword = \"secret\"", "calico.password is of no user"},
      {"[calico]\nregion = \"a/b\"", "is not the name of a region"},
      {"[etcd]\nendpoints = [\"etcd1:2379\"]", "write \"https://etcd1:2379\""},
      {"[etcd]\nprefix = \"fipd\"", "does not begin and end with '/'"},
      {"[etcd]\ncertificate = \"/etc/a.pem\"", "go together"},
      {"[etcd]\npassword = \"secret\"", "is of no user"},
      {"[sources]\nhold_share = 1.5", "write 0.0 to 1.0"},
      {"[sources]\nhold_share = nan", "write 0.0 to 1.0"},
      {"[control]\nsocket = \"fipd.sock\"", "begin it with /"},
      {"[control]\nsocket = \"/run/bird/bird.ctl\"", "is BIRD's"},
      {"[bird]\nsessions = [\"tor1' all\"]", "no name of a protocol of BIRD's"},
      {"[control]\ngroup = \"\"", "not a group's name"},
      {"[metrics]\nlisten = \"9472\"", "127.0.0.1:9472"},
      {"[metrics]\nlisten = \"127.0.0.1:99999\"", "is not an address with a port"},
      {"[metrics]\nlisten = \"::1:9472\"", "[::1]:9472"},
      {"[host]\nname = \"a/b\"", "not a host's name"},
      {"[log]\nlevel = \"warn\"", "\"warning\" or \"error\""},
      {"[limits]\nclients = 0", "write 1 to 1024"},
      {"[metadata]\nlisten = \"127.0.0.1:8775\"", "an array of strings, like [\"127.0.0.1:8775\""},
      {"[metadata]\nlisten = [\"127.0.0.1\"]", "is not an address with a port"},
      {"[metadata]\nlisten = [\"127.0.0.1:8775\", \"127.0.0.2:8775\"]", "the second of its family"},
      {"[metadata]\nlisten = [\"0.0.0.0:8775\"]", "the unspecified address: write one that"},
      {"[metadata]\nlisten = [\"[fe80::1]:8775\"]", "a link-local address: write one that"},
      {"[metadata]\ninterfaces = [\"*\"]",
       "write how the names of the instances' interfaces begin"},
      {"[metadata]\ninterfaces = [\"t*p\"]", "'t*p' is no interface's name"},
      {"[metadata]\ninterfaces = [\"tap\\\"\"]", "is no interface's name"},
      {"[metadata]\ninterfaces = [\"abcdefghijklmnop\"]", "at most 15"},
      {"[metadata]\nlisten = [\"[::1]:8775\"]",
       "write another address of the host, for example fd00"},
      {"[metadata]\nlisten = [\"[fd00::1]:8775\"]\ninterfaces = []", "or remove metadata.listen"},
      {"[floating_ip_limits]\nin_bits = 100000000001", "a whole number from 0 to 100000000000"},
      {"[floating_ip_limits]\nin_bits = \"100M\"", "is a string: write a whole number"},
      {"[floating_ip_limits]\nout_burst = 5",
       "fipd.toml:2:13: floating_ip_limits: out_burst is without out_bits"},
      {"[floating_ip_limits]\nnew_connections_burst = 5",
       "new_connections_burst is without new_connections"},
      {"[nat]\nguard = 1", "write true or false"},
      {"[metrics]\ntraffic_series = 10001", "write 0 to 10000"},
  };
  for (const auto& [text, said] : cases) EXPECT_THAT(error_of(text), HasSubstr(said)) << text;
}

TEST(Configuration, MeasuresSocketPathsAsTheKernelDoes) {
  const auto with = [](std::size_t size) {
    return error_of(fmt::format("[control]\nsocket = \"/{}\"\n", std::string(size - 1, 's')));
  };
  EXPECT_EQ(with(107), "none");
  EXPECT_THAT(with(108), HasSubstr("108 bytes long, and a Unix socket's path at most 107"));
}

TEST(Configuration, TellsAllErrorsOfAllFilesAtOnce) {
  const ConfigText texts[] = {{"a.toml", "[nat]\nsnat = 1\ntable = 2\n"},
                              {"b.toml", "[route]\ntable = 0\n[x]\n"}};
  const Result<Config> config = parse_config(texts);
  ASSERT_FALSE(config);
  const std::string& said = config.error().message();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 3) << said;
  EXPECT_THAT(said, HasSubstr("a.toml:2:8: nat.snat"));
  EXPECT_THAT(said, HasSubstr("b.toml:2:9: route.table"));
}

TEST(Configuration, LeavesOutPrefixesThatSayNothing) {
  const Config config = config_of(
      "[nat]\ninternal = [\"10.65.1.0/24\", \"10.65.0.0/16\", \"10.65.0.0/16\", \"fd00::/8\"]\n");
  std::vector<std::string> left;
  for (const Prefix& prefix : config.nat.internal) left.push_back(prefix.to_string());
  EXPECT_THAT(left, ElementsAre("10.65.0.0/16", "fd00::/8"));
}

TEST(Configuration, NamesWhatNeedsARestart) {
  const Config now = config_of("");
  const Config next = config_of(
      "[control]\nsocket = \"/run/x\"\n[log]\nlevel = \"debug\"\n[route]\ntable = 99\n"
      "[nat]\nlinger = \"3s\"\nguard = false\naccounting = true\n"
      "[metadata]\nlisten = [\"127.0.0.1:8775\"]\n[floating_ip_limits]\nconnections = 9\n");
  EXPECT_THAT(needs_restart(now, next), ElementsAre("control.socket", "route.table"));
  EXPECT_THAT(needs_restart(now, now), IsEmpty());
}

class ConfigurationFiles : public ::testing::Test {
 protected:
  ConfigurationFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "fipd-config-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~ConfigurationFiles() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = directory_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }

  std::filesystem::path directory_;
};

TEST_F(ConfigurationFiles, AreMergedByKeyInTheOrderOfTheirNames) {
  const auto main = write("fipd.toml",
                          "[route]\ntable = 100\nprotocol = 101\n[nat]\ninternal = "
                          "[\"10.0.0.0/8\", \"11.0.0.0/8\"]\n");
  write("conf.d/20.toml", "[route]\ntable = 120\n");
  write("conf.d/10.toml", "[route]\ntable = 110\n[nat]\ninternal = [\"12.0.0.0/8\"]\n");
  write("conf.d/30.toml~", "[rubbish\n");
  write("conf.d/.40.toml", "[rubbish\n");
  const Result<Config> config = load_config(main);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->route.table, 120U);
  EXPECT_EQ(config->route.protocol, 101U);
  ASSERT_EQ(config->nat.internal.size(), 1U);
  EXPECT_EQ(config->nat.internal[0].to_string(), "12.0.0.0/8");
}

TEST_F(ConfigurationFiles, AreNamedInErrors) {
  const auto main = write("fipd.toml", "[route]\nmetric = 5\n");
  const auto part = write("conf.d/10.toml", "[route]\npreferred_metric = 9\n");
  EXPECT_THAT(load_config(main).error().message(), HasSubstr(main.string() + ":2:10: route: "));
  write("fipd.toml", "");
  write("conf.d/10.toml", "[route]\nbla = 9\n");
  EXPECT_THAT(load_config(main).error().message(), HasSubstr(part.string() + ":2:1: route.bla"));
}

TEST_F(ConfigurationFiles, MustHaveTheMainOneButNeedNoOthers) {
  EXPECT_EQ(load_config(directory_ / "fipd.toml").error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(load_config(write("fipd.toml", "")));
}

}  // namespace
}  // namespace fipd
