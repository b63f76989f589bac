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

}  // namespace
}  // namespace fipd
