#include "daemon/control/fipctl/amount.h"

#include <gtest/gtest.h>

namespace fipd::fipctl {
namespace {

TEST(Amount, TakesDecimalSuffixesAndNothingElse) {
  EXPECT_EQ(parse_amount("1000").value_or(0), 1000U);
  EXPECT_EQ(parse_amount("64k").value_or(0), 64000U);
  EXPECT_EQ(parse_amount("100M").value_or(0), 100000000U);
  EXPECT_EQ(parse_amount("1G").value_or(0), 1000000000U);
  for (const char* text : {"", "k", "-1", "1.5M", "1K", "1 M", "1Mb", "18446744073709551615G"}) {
    EXPECT_FALSE(parse_amount(text)) << text;
  }
}

TEST(Amount, BytesAreWrittenInTheUnitThatFits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1000), "1.0 kB");
  EXPECT_EQ(bytes_text(999949), "999.9 kB");
  EXPECT_EQ(bytes_text(999950), "1.0 MB");
  EXPECT_EQ(bytes_text(18446744073709551615U), "18446.7 PB");
}

}  // namespace
}  // namespace fipd::fipctl
