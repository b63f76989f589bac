#include "daemon/control/fipctl/table.h"

#include <gtest/gtest.h>

#include "daemon/control/fipctl/exit_code.h"

namespace fipd::fipctl {
namespace {

TEST(Table, AlignsColumnsAndLeavesNoTrailingSpace) {
  const std::string text = render_table(
      {{{"A"}, {"B"}, {"C"}}, {{"2001:db8::1"}, {"x"}, {""}}, {{"1"}, {"yy"}, {"z"}}}, false);
  EXPECT_EQ(text,
            "A            B   C\n"
            "2001:db8::1  x\n"
            "1            yy  z\n");
}

TEST(Table, ColorDoesNotChangeTheAlignment) {
  const std::string text = render_table({{{"ab", Tint::kRed}, {"c"}}, {{"abcd"}, {"d"}}}, true);
  EXPECT_EQ(text, "\x1b[31mab\x1b[0m    c\nabcd  d\n");
}

TEST(Table, ForeignTextCannotPlayWithTheTerminal) {
  const std::string text = render_table({{{"a\x1b[2Jb\nc"}}}, false);
  EXPECT_EQ(text, "a?[2Jb?c\n");
}

TEST(ExitCode, FollowsTheDesign) {
  EXPECT_EQ(exit_code_of(200, ""), ExitCode::kOk);
  EXPECT_EQ(exit_code_of(500, "kernel_refused"), ExitCode::kRefused);
  EXPECT_EQ(exit_code_of(404, "not_found"), ExitCode::kNotFound);
  EXPECT_EQ(exit_code_of(403, "not_permitted"), ExitCode::kNotPermitted);
  EXPECT_EQ(exit_code_of(409, "conflict"), ExitCode::kConflict);
  EXPECT_EQ(exit_code_of(400, "outside_pools"), ExitCode::kBadInput);
  EXPECT_EQ(exit_code_of(413, "request_too_large"), ExitCode::kBadInput);
  EXPECT_EQ(exit_code_of(503, "overloaded"), ExitCode::kUnreachable);
  EXPECT_EQ(exit_code_of(504, "wait_timeout"), ExitCode::kWaitRanOut);
  EXPECT_EQ(exit_code_of(503, "store_failed"), ExitCode::kRefused);
}

}  // namespace
}  // namespace fipd::fipctl
