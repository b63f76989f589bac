#include "daemon/sources/etcd/line_framer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fipd {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> lines_of(LineFramer& framer) {
  std::vector<std::string> all;
  for (std::string line; framer.take(line);) all.push_back(line);
  return all;
}

TEST(LineFramer, JoinsALineThatCameInPieces) {
  LineFramer framer(100);
  ASSERT_TRUE(framer.feed("{\"a\""));
  EXPECT_THAT(lines_of(framer), ElementsAre());
  ASSERT_TRUE(framer.feed(":1}"));
  EXPECT_THAT(lines_of(framer), ElementsAre());
  ASSERT_TRUE(framer.feed("\n"));
  EXPECT_THAT(lines_of(framer), ElementsAre("{\"a\":1}"));
}

TEST(LineFramer, CutsWhatCameTogether) {
  LineFramer framer(100);
  ASSERT_TRUE(framer.feed("one\n\ntwo\r\nthr"));
  EXPECT_THAT(lines_of(framer), ElementsAre("one", "two"));
  ASSERT_TRUE(framer.feed("ee\n"));
  EXPECT_THAT(lines_of(framer), ElementsAre("three"));
}

TEST(LineFramer, GivesTheSameLinesWhereverTheStreamIsCut) {
  const std::string stream = "first\nsecond line\n{}\n";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    LineFramer framer(100);
    std::vector<std::string> all;
    for (const auto& piece : {stream.substr(0, cut), stream.substr(cut)}) {
      ASSERT_TRUE(framer.feed(piece));
      for (const std::string& line : lines_of(framer)) all.push_back(line);
    }
    EXPECT_THAT(all, ElementsAre("first", "second line", "{}")) << cut;
  }
}

TEST(LineFramer, RefusesALineWithoutEnd) {
  LineFramer framer(10);
  ASSERT_TRUE(framer.feed("0123456789"));
  const Outcome fed = framer.feed("0");
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code(), ErrorCode::kLimit);
}

TEST(LineFramer, TakesMoreThanTheLimitInSeveralLines) {
  LineFramer framer(10);
  ASSERT_TRUE(framer.feed("01234567\n01234567\n0123"));
  EXPECT_THAT(lines_of(framer), ElementsAre("01234567", "01234567"));
}

}  // namespace
}  // namespace fipd
