#include "eviction/sim/prefix_sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "eviction/leaf_first_lru.h"
#include "eviction/sim/belady_min.h"
#include "eviction/sim/lru_curve.h"
#include "eviction/sim/policy_sim.h"

namespace incipit {
namespace {

constexpr uint32_t kBlockTokens = 16;

// Sessions that grow by some blocks a turn, with one opening for all: what a sample by prompts would fail at.
template <typename Sink>
void Generate(uint64_t seed, int requests, const Sink& sink) {
  std::mt19937_64 random(seed);
  std::vector<std::vector<uint64_t>> sessions(200);
  uint64_t next = 1000;
  for (int i = 0; i < requests; ++i) {
    // Some sessions are busier than others.
    std::vector<uint64_t>& ids = sessions[static_cast<size_t>(std::sqrt(random() % 40'000))];
    if (ids.size() > 60 || ids.empty()) {
      ids.resize(4);
      std::iota(ids.begin(), ids.end(), 0);
    }
    for (uint64_t more = 1 + random() % 8; more > 0; --more) ids.push_back(++next);
    sink(static_cast<uint64_t>(i) * 50, ids);
  }
}

PrefixTrace Whole(uint64_t seed, int requests) {
  PrefixTrace trace(kBlockTokens);
  Generate(seed, requests, [&](uint64_t time_ms, const std::vector<uint64_t>& ids) {
    trace.Add(time_ms, ids.size() * kBlockTokens, 10, ids);
  });
  trace.Finish();
  return trace;
}

PrefixTrace Sample(uint64_t seed, int requests, double rate, uint64_t salt) {
  PrefixTrace trace(kBlockTokens, rate);
  PrefixSampler sampler(&trace, rate, salt);
  Generate(seed, requests, [&](uint64_t time_ms, const std::vector<uint64_t>& ids) {
    EXPECT_TRUE(sampler.Add(time_ms, ids.size() * kBlockTokens, 10, ids));
  });
  EXPECT_TRUE(sampler.Finish());
  trace.Finish();
  return trace;
}

TEST(PrefixSamplerTest, AllBlocksAreAnExactSample) {
  const PrefixTrace whole = Whole(1, 3000), sample = Sample(1, 3000, 1, 7);
  EXPECT_EQ(sample.unique_blocks(), whole.unique_blocks());
  EXPECT_EQ(sample.all_unique_blocks(), whole.unique_blocks());
  EXPECT_EQ(sample.block_references(), whole.block_references());
  EXPECT_EQ(sample.InSample(1000), 1000u);
  const std::vector<uint64_t> sizes = {500, 2000};
  for (size_t i = 0; i < sizes.size(); ++i) {
    const HitTotals exact = SimulateLru(whole, sizes, CostModel())[i],
                    totals = SimulateLru(sample, sizes, CostModel())[i];
    EXPECT_NEAR(totals.TokenHitRatio(), exact.TokenHitRatio(), 1e-9);
    EXPECT_NEAR(totals.FlopsSavedRatio(), exact.FlopsSavedRatio(), 1e-9);
    EXPECT_EQ(totals.TokenHitError(), 0);
  }
}

TEST(PrefixSamplerTest, APartOfTheBlocksTellsOfAll) {
  constexpr int kRequests = 30'000;
  const PrefixTrace whole = Whole(3, kRequests);
  const auto policy = [](size_t, uint32_t) { return MakeLeafFirstLru(); };
  const NextUse next_use(whole);
  for (uint64_t salt = 1; salt <= 3; ++salt) {
    const PrefixTrace sample = Sample(3, kRequests, 0.1, salt);
    EXPECT_NEAR(static_cast<double>(sample.all_unique_blocks()), static_cast<double>(whole.unique_blocks()),
                0.05 * static_cast<double>(whole.unique_blocks()));
    const NextUse sample_next_use(sample);
    for (const uint64_t capacity : {1000, 4000}) {
      const uint64_t in_sample = sample.InSample(capacity);
      const HitTotals lru = SimulatePolicy(sample, {.capacity_blocks = in_sample}, policy).totals;
      const double exact = SimulatePolicy(whole, {.capacity_blocks = capacity}, policy).totals.TokenHitRatio();
      EXPECT_GT(exact, 0.2) << "the test's own premise";
      EXPECT_NEAR(lru.TokenHitRatio(), exact, 0.03) << "salt " << salt << ", " << capacity << " blocks";
      EXPECT_GT(lru.TokenHitError(), 0.0005);
      EXPECT_LT(lru.TokenHitError(), 0.03);
      EXPECT_NEAR(SimulateMin(sample, sample_next_use, in_sample, CostModel()).TokenHitRatio(),
                  SimulateMin(whole, next_use, capacity, CostModel()).TokenHitRatio(), 0.03)
          << "salt " << salt << ", " << capacity << " blocks";
    }
  }
}

TEST(PrefixSamplerTest, WhatAllPromptsShareIsKeptAndCountedOnce) {
  PrefixTrace trace(kBlockTokens, 0.01);
  PrefixSampler sampler(&trace, 0.01, 1);
  for (uint64_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(sampler.Add(i, 2 * kBlockTokens, 1, std::vector<uint64_t>{5, 100 + i}));
  }
  ASSERT_TRUE(sampler.Finish());
  trace.Finish();
  for (const PrefixTrace::Request& request : trace.requests()) {
    ASSERT_GE(request.blocks, 1u);
    ASSERT_EQ(trace.PositionOf(request, 0), 0u);
    ASSERT_EQ(trace.CoveredTokens(request), 2 * kBlockTokens);
  }
  const HitTotals totals = SimulateLru(trace, std::vector<uint64_t>{10}, CostModel())[0];
  EXPECT_NEAR(totals.TokenHitRatio(), 999.0 / 2000, 1e-9)
      << "the opening of all but the first; nothing else comes again";
}

}  // namespace
}  // namespace incipit
