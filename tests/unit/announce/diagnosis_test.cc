#include "daemon/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fipd {
namespace {

using bgp::BirdChannel;
using bgp::BirdLayout;
using bgp::BirdProtocol;
using bgp::BirdRoute;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

BirdChannel channel(const char* name, const char* table, const char* in, const char* out) {
  BirdChannel made;
  made.name = name;
  made.state = "UP";
  made.table = table;
  made.import_filter = in;
  made.export_filter = out;
  return made;
}

BirdProtocol protocol(const char* name, const char* kind, BirdChannel only) {
  BirdProtocol made;
  made.name = name;
  made.proto = kind;
  made.state = "up";
  if (made.proto == "BGP") made.info = "Established";
  made.neighbor = made.proto == "BGP" ? "10.99.0.2" : "";
  made.channels = {std::move(only)};
  return made;
}

BirdProtocol pipe(const char* from, const char* into, const char* out) {
  BirdProtocol made = protocol("p4", "Pipe", channel("main", from, "REJECT", out));
  made.channels[0].peer_table = into;
  return made;
}

// k4 -> fip4, a pipe into master4, tor1 from there.
BirdLayout piped(const char* pipe_filter = "ACCEPT") {
  return BirdLayout({protocol("k4", "Kernel", channel("ipv4", "fip4", "in4", "REJECT")),
                     pipe("fip4", "master4", pipe_filter),
                     protocol("tor1", "BGP", channel("ipv4", "master4", "ACCEPT", "out4"))},
                    {});
}

BirdRoute route(const char* table, const char* source, bool best) {
  BirdRoute made;
  made.table = table;
  made.source = source;
  made.best = best;
  made.preference = 200;
  return made;
}

Evidence evidence(std::vector<BirdRoute> routes) {
  Evidence made;
  made.address = *parse_address("172.16.1.3");
  made.routes = std::move(routes);
  return made;
}

TEST(Diagnosis, SaysThatThePipeDoesNotTakeIt) {
  const Finding finding = diagnose(evidence({route("fip4", "k4", true)}), piped(), 172);
  EXPECT_EQ(finding.cause, Cause::kPipe);
  EXPECT_TRUE(finding.learned);
  EXPECT_THAT(finding.text, HasSubstr("the pipe p4 (up) does not take it from fip4 into master4"));
}

TEST(Diagnosis, SaysThatASessionHasNoChannelOfTheFamily) {
  BirdLayout layout({protocol("k6", "Kernel", channel("ipv6", "fip6", "in6", "REJECT")),
                     protocol("tor1", "BGP", channel("ipv4", "fip6", "ACCEPT", "out4"))},
                    {});
  Evidence six = evidence({route("fip6", "k6", true)});
  six.address = *parse_address("2001:db8::3");
  const Finding finding = diagnose(six, layout, 172);
  EXPECT_EQ(finding.cause, Cause::kNoChannel);
  EXPECT_THAT(finding.text, HasSubstr("no BGP session of BIRD carries IPv6"));
}

TEST(Diagnosis, SaysThatTheNeighbourDoesNotSpeakTheFamily) {
  BirdProtocol tor1 = protocol("tor1", "BGP", channel("ipv4", "fip4", "ACCEPT", "out4"));
  tor1.channels.push_back(channel("ipv6", "fip6", "ACCEPT", "out6"));
  tor1.channels.back().state = "DOWN";
  BirdLayout layout({protocol("k6", "Kernel", channel("ipv6", "fip6", "in6", "REJECT")), tor1}, {});
  Evidence six = evidence({route("fip6", "k6", true)});
  six.address = *parse_address("2001:db8::3");
  const Finding finding = diagnose(six, layout, 172);
  EXPECT_EQ(finding.cause, Cause::kNoChannel);
  EXPECT_THAT(finding.text, HasSubstr("session tor1 carries no IPv6"));
}

TEST(Diagnosis, HasNoKernelProtocolForAFamilyThatNoneLearns) {
  Evidence six = evidence({});
  six.address = *parse_address("2001:db8::3");
  const Finding finding = diagnose(six, piped(), 172);
  EXPECT_EQ(finding.cause, Cause::kKernelDown);
  EXPECT_THAT(finding.text, HasSubstr("no kernel protocol of BIRD learns IPv6"));
}

TEST(Diagnosis, TellsOfWhatAnEstablishedSessionLacksBeforeOneThatIsDown) {
  BirdProtocol down = protocol("tor0", "BGP", channel("ipv4", "fip4", "ACCEPT", "out4"));
  down.info = "Active";
  BirdLayout layout({protocol("k4", "Kernel", channel("ipv4", "fip4", "in4", "REJECT")), down,
                     protocol("tor1", "BGP", channel("ipv4", "fip4", "ACCEPT", "out4"))},
                    {});
  Evidence all = evidence({route("fip4", "k4", true)});
  all.would_export = {{"tor1", false}};
  EXPECT_EQ(diagnose(all, layout, 172).cause, Cause::kExportFilter);
  all.exported = {"tor1"};
  EXPECT_EQ(diagnose(all, layout, 172).cause, Cause::kSessionDown);
}

TEST(OtherHosts, AreNamedByTheMostTellingAddress) {
  BirdRoute direct = route("master4", "tor1", false);
  direct.next_hop = "10.240.0.7";
  direct.origin_as = "64602";
  BirdRoute passed = direct;
  passed.next_hop = "10.99.0.2";  // the neighbour
  BirdRoute other_family = direct;
  other_family.next_hop = "2001:db8:99::2";
  BirdRoute reflected = direct;
  reflected.originator = "10.240.0.9";
  EXPECT_THAT(others_in({direct}, piped()), ElementsAre("10.240.0.7"));
  EXPECT_THAT(others_in({passed}, piped()), ElementsAre("AS64602 behind 10.99.0.2"));
  EXPECT_THAT(others_in({other_family}, piped()), ElementsAre("AS64602 behind 2001:db8:99::2"));
  EXPECT_THAT(others_in({reflected, reflected}, piped()), ElementsAre("10.240.0.9"));
  EXPECT_THAT(others_in({route("fip4", "k4", true)}, piped()), IsEmpty());
}

TEST(Findings, AreCountedByKindWithAnExample) {
  Findings findings;
  const Finding filter{Cause::kExportFilter, true, "filter"};
  const Finding limit{Cause::kExportLimit, true, "limit"};
  for (const char* address : {"10.0.0.1", "10.0.0.2"}) {
    findings.set(*parse_address(address), filter);
  }
  findings.set(*parse_address("10.0.0.3"), limit);
  ASSERT_EQ(findings.groups().size(), 2U);
  EXPECT_EQ(findings.groups()[0].count, 2U);
  EXPECT_EQ(findings.groups()[0].example, *parse_address("10.0.0.1"));
  findings.set(*parse_address("10.0.0.3"), filter);
  findings.forget(*parse_address("10.0.0.1"));
  findings.set(*parse_address("10.0.0.9"), limit);
  EXPECT_EQ(findings.counts()[static_cast<std::size_t>(Cause::kExportFilter)], 2U);
  EXPECT_EQ(findings.counts()[static_cast<std::size_t>(Cause::kExportLimit)], 1U);
  EXPECT_EQ(*findings.find(*parse_address("10.0.0.9")), limit);
  EXPECT_EQ(findings.find(*parse_address("10.0.0.1")), nullptr);
}

}  // namespace
}  // namespace fipd
