// The shipped configuration and the client against the real BIRD, in namespaces of their own.
#include <map>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bgp/bird_client.h"
#include "bgp/bird_layout.h"
#include "tests/unit/bgp/bird_lab.h"

namespace fipd::bgp {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

bool can_make_namespaces() { return ::geteuid() == 0 && !output_of("command -v bird").empty(); }

template <typename T>
Result<T> run(asio::io_context& io, asio::awaitable<Result<T>> question) {
  Result<T> answer = fail(ErrorCode::kInternal, "never came back");
  const auto done = [&answer](std::exception_ptr error, Result<T> value) {
    if (error) std::rethrow_exception(error);
    answer = std::move(value);
  };
  asio::co_spawn(io, std::move(question), done);
  io.restart();
  io.run_for(std::chrono::seconds(10));
  return answer;
}

struct Attachment {
  const char* name;
  const char* example;
  bool ibgp;
};

class ShippedConfiguration : public testing::TestWithParam<Attachment> {
 protected:
  void SetUp() override {
    if (!can_make_namespaces()) GTEST_SKIP() << "needs root and BIRD";
    lab_.emplace(GetParam().example, GetParam().ibgp);
  }

  // Both families, until the router has them or time is out.
  std::string at_router(const std::string& prefix) {
    EXPECT_TRUE(wait_until([&] { return has(prefix); })) << prefix;
    return lab_->router.birdc("show route " + prefix + " all");
  }
  bool has(const std::string& prefix) {
    return lab_->router.birdc("show route " + prefix).find("unicast") != std::string::npos;
  }

  std::optional<BirdLab> lab_;
};

TEST_P(ShippedConfiguration, TellsTheRouterTheMetricInEveryLanguageOfBgp) {
  const bool ibgp = GetParam().ibgp;
  struct Wish {
    const char* metric;
    const char* ebgp_path;
    const char* ibgp_preference;
  };
  const std::map<std::string, Wish> wishes = {
      {"1", {"512", "BGP.as_path: 64512\n", "BGP.local_pref: 200\n"}},
      {"2", {"1023", "BGP.as_path: 64512\n", "BGP.local_pref: 200\n"}},
      {"3", {"1024", "BGP.as_path: 64512 64512\n", "BGP.local_pref: 100\n"}},
      {"4", {"1025", "BGP.as_path: 64512 64512 64512\n", "BGP.local_pref: 50\n"}},
      {"5", {"4095", "BGP.as_path: 64512 64512 64512\n", "BGP.local_pref: 50\n"}},
      {"6", {"4096", "BGP.as_path: 64512 64512 64512 64512\n", "BGP.local_pref: 0\n"}},
      {"7", {"4097", "BGP.as_path: 64512 64512 64512 64512\n", "BGP.local_pref: 0\n"}}};
  for (const auto& [last, wish] : wishes) {
    const std::string more = std::string("proto 172 metric ") + wish.metric;
    lab_->add_route("172.16.1." + last, more);
    lab_->add_route("2001:db8:fee::" + last, more);
  }
  for (const auto& [last, wish] : wishes) {
    for (const std::string& prefix :
         {"172.16.1." + last + "/32", "2001:db8:fee::" + last + "/128"}) {
      const std::string seen = at_router(prefix);
      EXPECT_THAT(seen, HasSubstr(fmt::format("BGP.med: {}\n", wish.metric)));
      EXPECT_THAT(seen, HasSubstr(ibgp ? "BGP.as_path: \n" : wish.ebgp_path));
      if (ibgp) {
        EXPECT_THAT(seen, HasSubstr(wish.ibgp_preference));
      }
      const bool drained = seen.find("BGP.community: (65535,0)") != std::string::npos;
      EXPECT_EQ(drained, std::stoi(wish.metric) >= 4096) << seen;
    }
  }
}

TEST_P(ShippedConfiguration, TellsTheRouterTheColourOfAnAddressAsALargeCommunity) {
  lab_->add_route("172.16.1.1", "proto 172 metric 1024 realm 77");
  lab_->add_route("172.16.1.2", "proto 172 metric 1024");
  // IPv6 routes have no realm: the kernel takes one and forgets it.
  lab_->add_route("2001:db8:fee::1", "proto 172 metric 1024 window 65535");
  lab_->add_route("2001:db8:fee::2", "proto 172 metric 1024 realm 77");
  EXPECT_THAT(at_router("172.16.1.1/32"), HasSubstr("BGP.large_community: (64512, 172, 77)"));
  EXPECT_THAT(at_router("2001:db8:fee::1/128"),
              HasSubstr("BGP.large_community: (64512, 172, 65535)"));
  for (const char* without : {"172.16.1.2/32", "2001:db8:fee::2/128"}) {
    EXPECT_THAT(at_router(without), testing::Not(HasSubstr("large_community"))) << without;
  }
}

TEST_P(ShippedConfiguration, LetsOnlyFipdsOwnHostRoutesOfThePoolsOut) {
  lab_->add_route("172.16.1.9", "proto static");
  lab_->add_route("172.16.2.9", "proto 172");
  lab_->add_route("172.16.1.64/30", "proto 172");
  lab_->add_route("2001:db8:fee:1::/64", "proto 172");
  lab_->add_route("172.16.1.1", "proto 172 metric 1024");
  lab_->add_route("2001:db8:fee::1", "proto 172 metric 1024");
  at_router("172.16.1.1/32");
  at_router("2001:db8:fee::1/128");
  const std::string count = lab_->router.birdc("show route count");
  EXPECT_THAT(count, HasSubstr("1 of 1 routes for 1 networks in table master4"));
  EXPECT_THAT(count, HasSubstr("1 of 1 routes for 1 networks in table master6"));
  EXPECT_THAT(lab_->floating_in_main_table_of_host(), IsEmpty());
}

TEST_P(ShippedConfiguration, LetsTheClientSeeWhatIsExportedAndWhatIsNot) {
  lab_->add_route("172.16.1.1", "proto 172 metric 1024");
  lab_->add_route("2001:db8:fee::1", "proto 172 metric 1024");
  at_router("172.16.1.1/32");
  at_router("2001:db8:fee::1/128");
  asio::io_context io(1);
  BirdOptions options;
  options.path = lab_->host.socket();
  BirdClient client(io.get_executor(), options);
  const auto seen = run(io, client.look());
  ASSERT_TRUE(seen) << seen.error().message();
  EXPECT_THAT(seen->version, testing::MatchesRegex("[0-9.]+"));
  ASSERT_THAT(seen->sessions, SizeIs(1));
  EXPECT_EQ(seen->sessions[0].name, "tor1");
  EXPECT_TRUE(seen->sessions[0].established());
  for (const char* exported : {"172.16.1.1", "2001:db8:fee::1"}) {
    const auto names = run(io, client.exported_by(*parse_address(exported)));
    ASSERT_TRUE(names) << names.error().message();
    EXPECT_THAT(*names, ElementsAre("tor1")) << exported;
  }
  const auto all = run(io, client.exported("tor1"));
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_THAT(
      *all, UnorderedElementsAre(*parse_address("172.16.1.1"), *parse_address("2001:db8:fee::1")));
  for (const char* other : {"172.16.1.77", "2001:db8:fee::77"}) {
    const auto names = run(io, client.exported_by(*parse_address(other)));
    ASSERT_TRUE(names) << names.error().message();
    EXPECT_THAT(*names, IsEmpty()) << other;
  }
  lab_->host.birdc("disable tor1");
  const auto names = run(io, client.exported_by(*parse_address("172.16.1.1")));
  ASSERT_TRUE(names) << names.error().message();
  EXPECT_THAT(*names, IsEmpty());
  for (const char* down_or_absent : {"tor1", "nobody"}) {
    const auto none = run(io, client.exported(down_or_absent));
    ASSERT_TRUE(none) << none.error().message();
    EXPECT_THAT(*none, IsEmpty());
  }
}

TEST_P(ShippedConfiguration, ShowsTheClientWhoCarriesOurRoutesAndWhatStandsInTheWay) {
  lab_->add_route("172.16.1.1", "proto 172 metric 1024");
  lab_->add_route("172.16.1.2", "proto 172 metric 1024");
  lab_->add_route("172.16.1.2", "proto static metric 5");
  lab_->add_route("2001:db8:fee::1", "proto 172 metric 1024");
  at_router("172.16.1.1/32");
  at_router("2001:db8:fee::1/128");
  asio::io_context io(1);
  BirdOptions options;
  options.path = lab_->host.socket();
  BirdClient client(io.get_executor(), options);
  const auto seen = run(io, client.look());
  ASSERT_TRUE(seen) << seen.error().message();
  std::vector<BirdProtocol> protocols = seen->others;
  protocols.insert(protocols.end(), seen->sessions.begin(), seen->sessions.end());
  const BirdLayout layout(protocols, {});
  EXPECT_THAT(layout.problems(), IsEmpty());
  ASSERT_THAT(layout.kernels(), SizeIs(2));
  ASSERT_THAT(layout.sessions(), SizeIs(1));
  const std::string kernel = layout.kernels()[0].name;
  const std::string table = layout.kernels()[0].channels[0].table;

  const auto ours = run(io, client.routes_of(*parse_address("172.16.1.1")));
  ASSERT_TRUE(ours) << ours.error().message();
  EXPECT_THAT(*ours, SizeIs(layout.tables().size() / 2)) << "one in each IPv4 table";
  for (const BirdRoute& route : *ours) {
    EXPECT_EQ(route.source, kernel);
    EXPECT_EQ(route.kernel_source, 172U);
    EXPECT_TRUE(route.best);
  }
  const auto hidden = run(io, client.filtered_of(*parse_address("172.16.1.2")));
  ASSERT_TRUE(hidden) << hidden.error().message();
  ASSERT_THAT(*hidden, SizeIs(1));
  EXPECT_EQ((*hidden)[0].kernel_metric, 5U);
  EXPECT_TRUE(run(io, client.would_export("tor1", *parse_address("172.16.1.1"))).value_or(false));
  EXPECT_FALSE(run(io, client.would_export("tor1", *parse_address("172.16.1.2"))).value_or(true));
  std::vector<std::string> in_bulk;
  const auto note = [&in_bulk](const BirdRoute& route) {
    in_bulk.push_back(route.prefix->to_string());
  };
  ASSERT_TRUE(run(io, client.visit_routes(table, kernel, note)));
  EXPECT_THAT(in_bulk, ElementsAre("172.16.1.1/32"));
  ASSERT_TRUE(run(io, client.visit_filtered(table, kernel, note)));
  EXPECT_THAT(in_bulk, ElementsAre("172.16.1.1/32", "172.16.1.2/32"));
  EXPECT_TRUE(run(io, client.visit_learned_by_bgp(table, note)));
  EXPECT_THAT(in_bulk, SizeIs(2)) << "the router sends nothing";
  for (const BirdProtocol& each : layout.kernels()) {
    const auto nudged = run(io, client.nudge(each.name));
    EXPECT_TRUE(nudged) << nudged.error().message();
  }
}

INSTANTIATE_TEST_SUITE_P(RealBird, ShippedConfiguration,
                         testing::Values(Attachment{"OwnEbgp", "own-session.conf", false},
                                         Attachment{"OwnIbgp", "own-session.conf", true},
                                         Attachment{"PipeEbgp", "pipe.conf", false},
                                         Attachment{"PipeIbgp", "pipe.conf", true}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(RealBirdConfiguration, IsReadWithoutAWord) {
  if (!can_make_namespaces()) GTEST_SKIP() << "needs BIRD";
  const TemporaryFolder folder;
  BirdLab::copy_configuration(folder.path());
  int examples = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    if (file.path().filename().string().starts_with("fipd")) continue;
    EXPECT_EQ(output_of("bird -p -c " + file.path().string()), "") << file.path();
    ++examples;
  }
  EXPECT_GE(examples, 6);
}

TEST(RealBirdRestart, WithdrawsNothingAfterAKillWhereItStartsWithRecovery) {
  if (!can_make_namespaces()) GTEST_SKIP() << "needs root and BIRD";
  BirdLab lab("own-session.conf", false);
  lab.add_route("172.16.1.1", "proto 172 metric 1024");
  const auto has = [&lab] {
    return lab.router.birdc("show route 172.16.1.1/32").find("unicast") != std::string::npos;
  };
  ASSERT_TRUE(wait_until(has));
  const std::string before = lab.router.birdc("show protocols host");
  lab.host.end(SIGKILL);
  lab.host.start(true);
  bool gone = false;
  // Until the router's session was made anew.
  EXPECT_TRUE(wait_until([&] {
    gone = gone || !has();
    const std::string now = lab.router.birdc("show protocols host");
    return now != before && now.find("Established") != std::string::npos;
  }));
  for (int i = 0; i < 20; ++i) {
    gone = gone || !has();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_FALSE(gone);
}

TEST(RealBirdClient, GivesUpOnAStoppedBirdAndIsBackWhenItGoesOnOrIsRestarted) {
  if (!can_make_namespaces()) GTEST_SKIP() << "needs root and BIRD";
  BirdLab lab("own-session.conf", false);
  asio::io_context io(1);
  BirdOptions options;
  options.path = lab.host.socket();
  options.timeout = std::chrono::milliseconds(200);
  options.retry_max = std::chrono::milliseconds(100);
  BirdClient client(io.get_executor(), options);
  const auto is_seen = [&] { return run(io, client.look()).has_value(); };
  EXPECT_TRUE(is_seen());
  lab.host.signal(SIGSTOP);
  const auto stopped = run(io, client.look());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), ErrorCode::kTimeout);
  // Stopped for long, its queue of connections fills up; that is no "connected" either.
  for (int i = 0; i < 12; ++i) {
    std::this_thread::sleep_for(options.retry_max);
    EXPECT_FALSE(is_seen());
  }
  lab.host.signal(SIGCONT);
  EXPECT_TRUE(wait_until(is_seen));
  lab.host.end(SIGKILL);
  std::this_thread::sleep_for(options.retry_max);
  const auto killed = run(io, client.look());
  ASSERT_FALSE(killed);
  EXPECT_THAT(killed.error().message(), HasSubstr("BIRD is not running"));
  lab.host.start();
  EXPECT_TRUE(wait_until(is_seen));
}

}  // namespace
}  // namespace fipd::bgp
