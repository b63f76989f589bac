#include "daemon/sources/etcd/calico_endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/sources/etcd/etcd_records.h"

namespace fipd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kPrefix =
    "/calico/resources/v3/projectcalico.org/workloadendpoints/openstack/rack1--c1-openstack-";
const std::string kKey = kPrefix + "9a7e0868--da-8ab8--51cd";

// A value as networking-calico writes it.
std::string endpoint(const std::string& nats, const std::string& networks = R"("10.65.0.13/32")",
                     const std::string& node = "rack1-c1") {
  return R"({"kind":"WorkloadEndpoint","apiVersion":"projectcalico.org/v3","metadata":{"name":"x",)"
         R"("namespace":"openstack"},"spec":{"endpoint":"8ab8-51cd","node":")" +
         node + R"(","interfaceName":"tap9a7e0868-da","ipNetworks":[)" + networks +
         R"(],"ipNATs":[)" + nats + "]}}";
}

std::string nat(const std::string& floating, const std::string& fixed = "10.65.0.13") {
  return R"({"internalIP":")" + fixed + R"(","externalIP":")" + floating + R"("})";
}

class CalicoEndpointTest : public ::testing::Test {
 protected:
  Result<EtcdWord> word(const std::string& value, const std::string& key = kKey) {
    return keys_.decode(key, value);
  }
  std::string failure(const std::string& value, const std::string& key = kKey) {
    const Result<EtcdWord> got = word(value, key);
    return got ? "" : got.error().message();
  }
  static std::vector<std::string> texts_of(const EtcdWord& word) {
    std::vector<std::string> texts;
    for (const EtcdWord::Problem& each : word.problems) texts.push_back(each.text);
    return texts;
  }
  std::vector<std::string> problems(const std::string& value) {
    const Result<EtcdWord> got = word(value);
    return got ? texts_of(*got) : std::vector<std::string>{got.error().message()};
  }

  EtcdKeys keys_ = calico_keys("", "rack1-c1");
};

TEST_F(CalicoEndpointTest, ReadsTheEndpointsOfThisHostAndRegion) {
  EXPECT_EQ(keys_.prefix, kPrefix);
  EXPECT_THAT(calico_keys("north", "c1").prefix,
              HasSubstr("/openstack-region-north/c1-openstack-"));
  EXPECT_THAT(keys_.ready, IsEmpty());
}

TEST_F(CalicoEndpointTest, AHostWhoseNameBeginsAsTheNamesOfAnothersKeysIsNotIt) {
  const std::string other = calico_keys("", "a-openstack-b").prefix;
  EXPECT_FALSE(other.starts_with(calico_keys("", "a").prefix)) << other;
}

TEST_F(CalicoEndpointTest, ClaimsEachOfSeveralFloatingIps) {
  const Result<EtcdWord> got = word(endpoint(nat("172.16.1.3") + "," + nat("172.16.1.4")));
  ASSERT_TRUE(got) << got.error().message();
  ASSERT_THAT(got->entries, SizeIs(2));
  EXPECT_EQ(got->entries[0].binding.floating.to_string(), "172.16.1.3");
  EXPECT_EQ(got->entries[1].binding.floating.to_string(), "172.16.1.4");
  const EtcdWord::Entry& entry = got->entries[0];
  EXPECT_EQ(entry.binding.fixed.to_string(), "10.65.0.13");
  EXPECT_EQ(entry.binding.interface, "tap9a7e0868-da");
  EXPECT_EQ(entry.binding.port, "8ab8-51cd");
  EXPECT_EQ(entry.origin, "calico:9a7e0868-da/8ab8-51cd");
  EXPECT_THAT(got->problems, IsEmpty());
}

TEST_F(CalicoEndpointTest, AnEndpointWithoutFloatingIpsClaimsNothing) {
  const std::string bare = R"({"spec":{"node":"rack1-c1","interfaceName":"tap1"}})";
  const Result<EtcdWord> got = word(bare);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(*got, EtcdWord());
}

TEST_F(CalicoEndpointTest, RefusesAFixedIpThatTheEndpointDoesNotHave) {
  const std::string both = nat("172.16.1.3", "10.65.0.99") + "," + nat("172.16.1.4");
  const Result<EtcdWord> got = word(endpoint(both));
  ASSERT_TRUE(got);
  ASSERT_THAT(got->entries, SizeIs(1));
  EXPECT_EQ(got->entries[0].binding.floating.to_string(), "172.16.1.4");
  EXPECT_THAT(texts_of(*got),
              ElementsAre("ipNATs[0]: 172.16.1.3 cannot lead to 10.65.0.99: that is in none of the "
                          "endpoint's ipNetworks"));
  EXPECT_THAT(problems(endpoint(nat("172.16.1.3"), "")), ElementsAre(HasSubstr("in none of")));
}

TEST_F(CalicoEndpointTest, TakesIpv6AndAddressesWithoutALength) {
  const Result<EtcdWord> got =
      word(endpoint(nat("2001:db8:1::3", "fd00:65::13") + "," + nat("172.16.1.3"),
                    R"("fd00:65::/64","10.65.0.13")"));
  ASSERT_TRUE(got);
  EXPECT_THAT(got->entries, SizeIs(2));
}

TEST_F(CalicoEndpointTest, NamesEachEntryThatIsBadAndTakesTheOthers) {
  const std::pair<const char*, const char*> cases[] = {
      {"5", "ipNATs[0]: is no object"},
      {"{}", "externalIP is missing"},
      {R"({"externalIP":"172.16.1.3"})", "internalIP is missing"},
      {R"({"externalIP":"172.16.1.3/32","internalIP":"10.65.0.13"})", "is not an IP address"},
      {R"({"externalIP":7,"internalIP":"10.65.0.13"})", "externalIP is no string"},
      {R"({"externalIP":"2001:db8::1","internalIP":"10.65.0.13"})", "different families"},
  };
  for (const auto& [bad, reason] : cases) {
    const Result<EtcdWord> got = word(endpoint(std::string(bad) + "," + nat("172.16.1.9")));
    ASSERT_TRUE(got) << bad;
    EXPECT_THAT(got->entries, SizeIs(1)) << bad;
    EXPECT_THAT(texts_of(*got), ElementsAre(HasSubstr(reason))) << bad;
  }
  EXPECT_THAT(problems(endpoint(nat("172.16.1.3") + "," + nat("172.16.1.3"))),
              ElementsAre("ipNATs[1]: 172.16.1.3 is there twice"));
  EXPECT_THAT(problems(endpoint(nat("172.16.1.3"), R"("10.65.0.13/32","10.65.0.1/99")")),
              ElementsAre(HasSubstr("'10.65.0.1/99' is not a network")));
}

TEST_F(CalicoEndpointTest, ListsSoManyBadEntriesOfAnEndpointAndTheNumberOfTheOthers) {
  std::string many = "1";
  for (int i = 0; i < 104; ++i) many += ",1";
  EtcdRecords records(keys_, 3);
  (void)records.apply({false, {kKey, endpoint(many), 7}});
  const std::vector<RefusedWord> refused = records.refused();
  ASSERT_THAT(refused, SizeIs(101));
  EXPECT_THAT(refused, Contains(Field(&RefusedWord::reason, "and 5 more in this key")));
}

TEST_F(CalicoEndpointTest, TakesNothingOfAValueThatIsNoEndpointOfThisHost) {
  EXPECT_THAT(failure("{"), HasSubstr("not JSON"));
  EXPECT_THAT(failure("[]"), HasSubstr("with a spec"));
  EXPECT_THAT(failure(R"({"spec":null})"), HasSubstr("with a spec"));
  EXPECT_THAT(failure(endpoint(nat("172.16.1.3"), R"("10.65.0.13/32")", "rack1")),
              HasSubstr("spec.node is 'rack1'"));
  EXPECT_THAT(failure(R"({"spec":{"node":"rack1-c1","ipNATs":{}}})"), HasSubstr("no array"));
  for (const char* end : {"", "device", "a-b-c", "a-", "-b"}) {
    EXPECT_THAT(failure(endpoint(nat("172.16.1.3")), kPrefix + end), HasSubstr("<device>-<port>"))
        << end;
  }
}

TEST_F(CalicoEndpointTest, LongNamesThatBeginAlikeAreTwoOrigins) {
  const std::string long_name(100, 'a');
  EXPECT_NE(keys_.origin(kPrefix + long_name + "1-8ab8"),
            keys_.origin(kPrefix + long_name + "2-8ab8"));
  EXPECT_THAT(failure(endpoint(nat("172.16.1.3")), kPrefix + std::string(129, 'a') + "-8ab8"),
              HasSubstr("is longer than 128 bytes"));
  EXPECT_THAT(failure(endpoint(nat("172.16.1.3")), kPrefix + "a\n-8ab8"),
              HasSubstr("control characters"));
}

TEST_F(CalicoEndpointTest, AFloatingIpThatLeavesItsEndpointIsRemovedAlone) {
  EtcdRecords records(keys_, 3);
  const auto put = [&](const std::string& nats, std::int64_t revision) {
    return records.apply({false, {kKey, endpoint(nats), revision}});
  };
  EXPECT_THAT(put(nat("172.16.1.3") + "," + nat("172.16.1.4"), 7).puts, SizeIs(2));
  EXPECT_EQ(records.size(), 2U);
  const ClaimChanges changes = put(nat("172.16.1.4"), 8);
  EXPECT_THAT(changes.removals, ElementsAre(ClaimChanges::Removal{*parse_address("172.16.1.3"),
                                                                  "calico:9a7e0868-da/8ab8-51cd"}));
  ASSERT_THAT(changes.puts, SizeIs(1));
  EXPECT_EQ(changes.puts[0].revision, 8U);
  EXPECT_EQ(records.size(), 1U);
  // One that became stale is named, and goes.
  EXPECT_THAT(put(nat("172.16.1.4", "10.65.0.99"), 9).removals, SizeIs(1));
  EXPECT_THAT(records.problems(), ElementsAre(HasSubstr("endpoint 9a7e0868-da/8ab8-51cd: ")));
  EXPECT_THAT(records.refused(),
              ElementsAre(AllOf(Field(&RefusedWord::floating, parse_address("172.16.1.4").value()),
                                Field(&RefusedWord::source, "calico:9a7e0868-da/8ab8-51cd"),
                                Field(&RefusedWord::reason, HasSubstr("cannot lead to")),
                                Field(&RefusedWord::earlier_in_force, false))));
  // A value that is bad as a whole takes nothing away.
  put(nat("172.16.1.4"), 10);
  EXPECT_TRUE(records.apply({false, {kKey, "{", 11}}).empty());
  EXPECT_THAT(records.problems(), ElementsAre(HasSubstr("stays in force")));
}

}  // namespace
}  // namespace fipd
