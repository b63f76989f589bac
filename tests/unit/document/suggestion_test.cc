#include "daemon/state/suggestion.h"

#include <gtest/gtest.h>

namespace fipd {
namespace {

constexpr std::string_view kWords[] = {"floating", "fixed", "interface", "id", "port"};

TEST(Suggestion, NamesTheNearestKnownWord) {
  EXPECT_EQ(suggestion("fixd", kWords), " (did you mean 'fixed'?)");
  EXPECT_EQ(suggestion("floatng", kWords), " (did you mean 'floating'?)");
  EXPECT_EQ(suggestion("intreface", kWords), " (did you mean 'interface'?)");
}

TEST(Suggestion, SaysNothingWhereNothingIsNear) {
  EXPECT_EQ(suggestion("banana", kWords), "");
  EXPECT_EQ(suggestion("", kWords), "");
  EXPECT_EQ(suggestion(std::string(1 << 20, 'f'), kWords), "");
}

TEST(Printable, HidesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("a\x1b[31mb"), "a?[31mb");
  EXPECT_EQ(printable("a\xc2\x9b"
                      "b"),
            "a?b");
  EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

TEST(Printable, CutsBetweenCharactersAndNotWithinOne) {
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "\xc3\xbc";
  EXPECT_EQ(printable("x" + umlauts), "x" + umlauts.substr(0, 64) + "...");
}

}  // namespace
}  // namespace fipd
