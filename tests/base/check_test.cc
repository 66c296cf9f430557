#include "base/check.h"

#include <gtest/gtest.h>

namespace wsproxy {
namespace {

TEST(Check, LetsWhatHoldsPass) {
  int evaluated = 0;
  CHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, 1) << "evaluated once";
}

TEST(CheckDeathTest, NamesTheConditionAndItsPlace) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), R"(bug: CHECK\(1 \+ 1 == 3\) failed at .*check_test.cc:[0-9]+)");
}

}  // namespace
}  // namespace wsproxy
