#include "eviction/reuse_distances.h"

#include <gtest/gtest.h>

#include <cmath>

namespace incipit {
namespace {

TEST(ReuseDistancesTest, CachesAddUp) {
  ReuseDistances a{.uses = 10}, b{.uses = 30};
  a.reused[0] = 5;
  b.reused[2] = 15;
  a.Add(b);
  EXPECT_DOUBLE_EQ(a.HitRatioAt(1), 5.0 / 40);
  EXPECT_DOUBLE_EQ(a.HitRatioAt(2), 20.0 / 40);
  EXPECT_DOUBLE_EQ(ReuseDistances().HitRatioAt(100), 0);
}

TEST(ReuseDistancesTest, StepsAreInterpolated) {
  ReuseDistances distances{.uses = 10};
  distances.reused[4] = 8;  // over 2 * sqrt(2), up to 4
  EXPECT_DOUBLE_EQ(distances.HitRatioAt(2), 0);
  EXPECT_NEAR(distances.HitRatioAt(2 + std::sqrt(2)), 0.4, 1e-9);
  EXPECT_DOUBLE_EQ(distances.HitRatioAt(1e9), 0.8);
}

}  // namespace
}  // namespace incipit
