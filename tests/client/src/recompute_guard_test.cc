#include "client/src/recompute_guard.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr uint64_t kMb = 1'000'000;

TEST(RecomputeGuard, WithoutARateEverythingIsWorthLoading) {
  RecomputeGuard guard(0);
  guard.OnLoad(1 * kMb, 0, 1000'000 * kMs, 0);
  EXPECT_FALSE(guard.enabled());
  EXPECT_TRUE(guard.Judge(1, 1000 * kMb, 0, 0).worth_loading);
  EXPECT_EQ(guard.Judge(1, 1000 * kMb, 0, 0).load_ns, 0);
}

TEST(RecomputeGuard, NothingKnownIsHopeful) {
  RecomputeGuard guard(10'000);
  EXPECT_TRUE(guard.Judge(64, 100 * kMb, 100 * kMb, 0).worth_loading);
}

TEST(RecomputeGuard, SlowerThanRecomputeIsNotWorthLoading) {
  RecomputeGuard guard(10'000);              // 1000 tokens take 100 ms
  guard.OnLoad(100 * kMb, 0, 100 * kMs, 0);  // 1 GB/s
  EXPECT_EQ(guard.RecomputeNs(1000), 100 * kMs);
  const auto fast = guard.Judge(1000, 90 * kMb, 0, 0);
  EXPECT_TRUE(fast.worth_loading);
  EXPECT_NEAR(static_cast<double>(fast.load_ns), 90e6, 1e3);
  EXPECT_EQ(fast.recompute_ns, 100 * kMs);
  EXPECT_FALSE(guard.Judge(1000, 110 * kMb, 0, 0).worth_loading);
}

TEST(RecomputeGuard, TiersAreJudgedApart) {
  RecomputeGuard guard(10'000);
  guard.OnLoad(100 * kMb, 0, 10 * kMs, 0);   // RAM 10 GB/s
  guard.OnLoad(0, 100 * kMb, 100 * kMs, 0);  // NVMe 1 GB/s
  EXPECT_TRUE(guard.Judge(1000, 500 * kMb, 0, 0).worth_loading);
  EXPECT_FALSE(guard.Judge(1000, 0, 500 * kMb, 0).worth_loading);
  EXPECT_FALSE(guard.Judge(1000, 500 * kMb, 60 * kMb, 0).worth_loading) << "50 ms + 60 ms";
}

TEST(RecomputeGuard, RoundTripCountsForSmallRestores) {
  RecomputeGuard guard(1'000'000);
  guard.OnRoundTrip(1 * kMs);
  EXPECT_FALSE(guard.Judge(500, 1, 0, 0).worth_loading);
  EXPECT_TRUE(guard.Judge(5000, 1, 0, 0).worth_loading);
}

TEST(RecomputeGuard, SmallLoadsTeachNoRate) {
  RecomputeGuard guard(10'000);
  guard.OnLoad(1000, 0, 100 * kMs, 0);
  EXPECT_EQ(guard.Judge(1000, 100 * kMb, 0, 0).load_ns, 0);
}

TEST(RecomputeGuard, EstimatesFollowNewSamples) {
  RecomputeGuard guard(10'000);
  guard.OnLoad(100 * kMb, 0, 1000 * kMs, 0);
  EXPECT_FALSE(guard.Judge(1000, 100 * kMb, 0, 0).worth_loading);
  for (int i = 0; i < 20; ++i) guard.OnLoad(100 * kMb, 0, 50 * kMs, 0);
  EXPECT_TRUE(guard.Judge(1000, 100 * kMb, 0, 0).worth_loading);
}

TEST(RecomputeGuard, OnceSlowIsTriedAgainAfterAWhile) {
  RecomputeGuard guard(10'000);
  guard.OnLoad(100 * kMb, 0, 300 * kMs, 0);
  EXPECT_FALSE(guard.Judge(1000, 100 * kMb, 0, 5'000 * kMs).worth_loading);
  EXPECT_TRUE(guard.Judge(1000, 100 * kMb, 0, 20'000 * kMs).worth_loading);
}

TEST(RecomputeGuard, HugeNumbersStayInRange) {
  RecomputeGuard guard(1e-12);
  EXPECT_GT(guard.RecomputeNs(UINT64_MAX), 0);
  guard.OnLoad(kMb, 0, INT64_MAX, 0);
  EXPECT_GE(guard.Judge(1, UINT64_MAX, 0, 0).load_ns, 0);
}

}  // namespace
}  // namespace incipit
