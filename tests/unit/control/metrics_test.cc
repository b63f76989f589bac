#include "daemon/observe/metrics.h"

#include <set>
#include <sstream>

#include <gmock/gmock.h>

namespace fipd {
namespace {

using testing::HasSubstr;

TEST(Metrics, EveryStateHasItsCountUnderItsName) {
  StatusReport status;
  for (std::size_t i = 0; i < kStates; ++i) status.counts[i] = 100 + i;
  const std::string text = render_metrics(status);
  for (std::size_t i = 0; i < kStates; ++i) {
    EXPECT_THAT(text, HasSubstr(fmt::format("fipd_floating_ips{{state=\"{}\"}} {}\n",
                                            to_string(static_cast<State>(i)), 100 + i)));
  }
}

TEST(Metrics, EverySampleHasHelpAndTypeBeforeIt) {
  StatusReport status;
  status.sources.resize(2);
  status.bird.sessions.resize(1);
  std::istringstream text(render_metrics(status));
  std::set<std::string> typed;
  std::string line;
  while (std::getline(text, line)) {
    std::istringstream words(line);
    std::string hash, kind, name;
    words >> hash >> kind >> name;
    if (hash == "#") {
      if (kind != "TYPE") continue;
      EXPECT_TRUE(typed.insert(name).second) << "twice: " << name;
      continue;
    }
    std::string family = hash.substr(0, hash.find('{'));
    for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
      const bool part = family.ends_with("_seconds" + suffix);
      if (part) family.resize(family.size() - suffix.size());
    }
    EXPECT_TRUE(typed.contains(family)) << line;
  }
  EXPECT_GT(typed.size(), 15U);
}

TEST(Metrics, NoNameBreaksOutOfItsLabel) {
  StatusReport status;
  SourceReport source;
  source.name = "a\"b\\c\nd";
  source.claims = 3;
  status.sources = {source};
  EXPECT_THAT(render_metrics(status), HasSubstr(R"(fipd_source_claims{source="a\"b\\c\nd"} 3)"));
}

TEST(Metrics, CountsOnlyEstablishedSessionsAsUp) {
  StatusReport status;
  status.bird.sessions.resize(2);
  status.bird.sessions[0].name = "a";
  status.bird.sessions[0].established = true;
  status.bird.sessions[1].name = "b";
  status.bird.sessions[1].state = "up";  // its protocol is, its session is not
  const std::string text = render_metrics(status);
  EXPECT_THAT(text, HasSubstr("fipd_bird_session_established{session=\"a\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("fipd_bird_session_established{session=\"b\"} 0\n"));
}

TEST(Metrics, SumUpHowLongAnnouncementsTook) {
  StatusReport status;
  status.bird.counters.announce.note(std::chrono::milliseconds(7));
  status.bird.counters.announce.note(std::chrono::milliseconds(700));
  const std::string text = render_metrics(status);
  EXPECT_THAT(text, HasSubstr("fipd_announce_seconds_bucket{le=\"0.005\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("fipd_announce_seconds_bucket{le=\"0.01\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("fipd_announce_seconds_bucket{le=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("fipd_announce_seconds_bucket{le=\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("fipd_announce_seconds_count 2\n"));
}

TEST(Metrics, TrafficIsTotalsUnlessSeriesAreWanted) {
  StatusReport status;
  EXPECT_THAT(render_metrics(status), testing::Not(HasSubstr("fipd_traffic")));
  EXPECT_THAT(render_metrics(status), testing::Not(HasSubstr("fipd_untranslated")));
  status.accounting.emplace();
  status.accounting->counted = 2;
  status.accounting->total = {.in_packets = 1, .in_bytes = 2, .out_packets = 3, .out_bytes = 4};
  status.guard = GuardReport{.packets = 5, .bytes = 6};
  std::string text = render_metrics(status);
  EXPECT_THAT(text, HasSubstr("fipd_traffic_packets_total{direction=\"out\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("fipd_traffic_bytes_total{direction=\"in\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("fipd_untranslated_packets_total 5\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("fipd_floating_ip_")));
  const Traffic one{.in_packets = 7, .in_bytes = 8, .out_packets = 9, .out_bytes = 10};
  status.accounting->each = {{*parse_address("2001:db8::7"), one}};
  text = render_metrics(status);
  EXPECT_THAT(text, HasSubstr("fipd_floating_ip_bytes_total{floating=\"2001:db8::7\","
                              "direction=\"out\"} 10\n"));
}

}  // namespace
}  // namespace fipd
