#include "eviction/reuse_curve.h"

#include <gtest/gtest.h>

#include <random>

#include "eviction/sim/lru_curve.h"
#include "tests/eviction/sim/random_trace.h"

namespace incipit {
namespace {

// Feeds a trace as a node would see it.
void Feed(const PrefixTrace& trace, ReuseCurve* curve) {
  std::vector<PrefixTrace::Block> chain;
  uint64_t stamp_ns = 0;
  for (const PrefixTrace::Request& request : trace.requests()) {
    trace.ChainOf(request, &chain);
    curve->Use(std::vector<uint64_t>(chain.begin(), chain.end()), ++stamp_ns);
  }
}

double BlockHitRatio(const PrefixTrace& trace, uint64_t blocks) {
  const HitTotals totals = SimulateLru(trace, std::vector<uint64_t>{blocks}, CostModel{})[0];
  return static_cast<double>(totals.hit_blocks) / static_cast<double>(trace.block_references());
}

// Sessions whose prompts grow, behind openings that many share.
PrefixTrace MakeSessions(uint64_t seed, int requests) {
  std::mt19937_64 random(seed);
  struct Session {
    uint64_t opening, blocks, id;
  };
  std::vector<Session> live;
  uint64_t next_id = 0;
  PrefixTrace trace(16);
  for (int i = 0; i < requests; ++i) {
    if (live.size() < 200 || random() % 5 == 0) {
      live.push_back({std::min(random() % 30, random() % 30), 1 + random() % 40, ++next_id});
      if (live.size() > 600) live.erase(live.begin());
    }
    // Mostly one that was busy of late.
    Session& session = live[live.size() - 1 - std::min(random() % live.size(), random() % live.size())];
    session.blocks += 1 + random() % 4;
    std::vector<uint64_t> ids;
    for (uint64_t depth = 0; depth < session.blocks + 6; ++depth) {
      ids.push_back(depth < 6 ? session.opening * 1000 + depth : session.id * 1'000'000 + depth);
    }
    trace.Add(static_cast<uint64_t>(i), 16 * ids.size(), 1, ids);
  }
  trace.Finish();
  return trace;
}

TEST(ReuseCurveTest, IsExactUpToItsStepsWhereAllBlocksAreFollowed) {
  const PrefixTrace trace = MakeRandomTrace(7, {.requests = 400});
  ASSERT_LT(trace.unique_blocks(), ReuseCurve::kMostSampled);
  ReuseCurve curve;
  Feed(trace, &curve);
  for (int octave = 2; octave < 12; ++octave) {
    const uint64_t blocks = uint64_t{1} << octave;
    EXPECT_NEAR(curve.distances().HitRatioAt(static_cast<double>(blocks)), BlockHitRatio(trace, blocks), 1e-9)
        << blocks << " blocks";
  }
}

TEST(ReuseCurveTest, ASampleComesNear) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    SCOPED_TRACE(seed);
    const PrefixTrace trace = MakeSessions(seed, 20'000);
    ASSERT_GT(trace.unique_blocks(), 10 * ReuseCurve::kMostSampled);
    ReuseCurve curve;
    Feed(trace, &curve);
    double worst = 0;
    for (uint64_t blocks = 128; blocks < trace.unique_blocks(); blocks *= 2) {
      worst = std::max(
          worst, std::abs(curve.distances().HitRatioAt(static_cast<double>(blocks)) - BlockHitRatio(trace, blocks)));
    }
    EXPECT_LT(worst, 0.03);
  }
}

TEST(ReuseCurveTest, MemoryIsBounded) {
  ReuseCurve curve;
  std::mt19937_64 random(5);
  for (uint64_t stamp = 1; stamp < 400'000; ++stamp) {
    // New blocks without end, and a few that are used always.
    curve.Use(std::vector<uint64_t>{random() % 60, random() % 4096, random(), random()}, stamp);
  }
  EXPECT_LE(curve.MemoryBytes(), 520'000u);
}

TEST(ReuseCurveTest, ARequestCountsOnce) {
  ReuseCurve curve;
  for (uint64_t stamp = 1; stamp <= 10; ++stamp) {
    for (int again = 0; again < 3; ++again) curve.Use(std::vector<uint64_t>{1, 2, 3}, stamp);
  }
  const ReuseDistances distances = curve.distances();
  EXPECT_EQ(distances.uses, 30);
  EXPECT_NEAR(distances.HitRatioAt(4), 0.9, 1e-9);
  EXPECT_NEAR(distances.HitRatioAt(0.5), 0, 1e-9);
}

TEST(ReuseCurveTest, FollowsAWorkloadThatChanges) {
  ReuseCurve curve;
  uint64_t stamp = 0, next = 0;
  for (uint64_t i = 0; i < ReuseCurve::kHalfLifeUses; ++i) curve.Use(std::vector<uint64_t>{i % 8}, ++stamp);
  EXPECT_GT(curve.distances().HitRatioAt(8), 0.99);
  for (uint64_t i = 0; i < 4 * ReuseCurve::kHalfLifeUses; ++i) curve.Use(std::vector<uint64_t>{1000 + next++}, ++stamp);
  EXPECT_LT(curve.distances().HitRatioAt(8), 0.1);
}

}  // namespace
}  // namespace incipit
