#include "cache/shard/reuse_curves.h"

#include <gtest/gtest.h>

#include "eviction/reuse_curve.h"

namespace incipit {
namespace {

TEST(ReuseCurvesTest, TenantsAreKeptApart) {
  ReuseCurves curves;
  for (uint64_t stamp = 1; stamp <= 10; ++stamp) {
    curves.Use(3, std::vector<uint64_t>{7}, stamp);
    curves.Use(5, std::vector<uint64_t>{1000 + stamp}, stamp);
  }
  ASSERT_EQ(curves.size(), 6u);
  EXPECT_NEAR(curves.Of(3)->distances().HitRatioAt(1), 0.9, 1e-9);
  EXPECT_NEAR(curves.Of(5)->distances().HitRatioAt(1e6), 0, 1e-9);
  EXPECT_EQ(curves.Of(4), nullptr);
}

TEST(ReuseCurvesTest, TheNumberOfCurvesIsBounded) {
  ReuseCurves curves;
  for (TenantIndex owner = 0; owner < 10'000; ++owner) curves.Use(owner, std::vector<uint64_t>{owner}, owner + 1);
  EXPECT_EQ(curves.size(), ReuseCurves::kMostTenants);
  EXPECT_EQ(curves.Of(kUnlistedTenants)->distances().uses, 10'000 - static_cast<int>(ReuseCurves::kMostTenants) + 1);
  EXPECT_LT(curves.MemoryBytes(), 16u << 20);
}

}  // namespace
}  // namespace incipit
