#include "cache/base/check.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(CheckDeathTest, FalseAbortsAndSaysWhatAndWhere) {
  const int found = 3;
  EXPECT_DEATH(INCIPIT_CHECK(found == 4, "found must be four"),
               "check_test.cc:[0-9]+: check failed: found must be four");
}

TEST(Check, TrueEvaluatesItsConditionOnce) {
  int evaluated = 0;
  INCIPIT_CHECK(++evaluated == 1, "once");
  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace incipit
