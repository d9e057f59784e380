#include "eviction/sim/hit_totals.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(HitTotalsTest, CountsTokensAndFlopsOfLeadingBlocks) {
  PrefixTrace trace(10);
  trace.Add(0, 25, 1, std::vector<uint64_t>{1, 2, 3});
  trace.Finish();
  const CostModel cost{.linear_flops_per_token = 1, .attention_flops_per_token_and_depth = 2};
  HitTotals totals;
  totals.Add(trace, trace.requests()[0], 2, cost);
  EXPECT_EQ(totals.hit_tokens, 20u);
  EXPECT_DOUBLE_EQ(totals.TokenHitRatio(), 0.8);
  EXPECT_DOUBLE_EQ(totals.FlopsSavedRatio(), (20.0 + 400) / (25 + 625));
  totals.Add(trace, trace.requests()[0], 3, cost);  // the last block is half filled
  EXPECT_EQ(totals.hit_tokens, 45u);
}

TEST(HitTotalsTest, NothingAskedIsNothingHit) {
  EXPECT_EQ(HitTotals().TokenHitRatio(), 0);
  EXPECT_EQ(HitTotals().FlopsSavedRatio(), 0);
}

}  // namespace
}  // namespace incipit
