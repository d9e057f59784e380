#include "eviction/cost_model.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(CostModelTest, SumOverTokensIsWhatTheyCostOneByOne) {
  const CostModel model{.linear_flops_per_token = 100, .attention_flops_per_token_and_depth = 2};
  double sum = 0;
  for (uint64_t token = 10; token < 50; ++token) sum += model.FlopsAt(token);
  // The integral counts each token at its middle: half a token's attention more for each.
  EXPECT_NEAR(model.Flops(10, 50), sum + 40, 1e-6);
  EXPECT_EQ(model.Flops(7, 7), 0);
}

TEST(CostModelTest, AttentionOfV3EqualsTheLinearPartAtFourteenThousandTokens) {
  bool known = false;
  const CostModel model = CostModelOf("deepseek-v3-bf16", &known);
  EXPECT_TRUE(known);
  EXPECT_NEAR(model.FlopsAt(14'800), 2 * model.FlopsAt(0), 0.01 * model.FlopsAt(0));
}

TEST(CostModelTest, UnknownLayoutsCountAsV3AndSaySo) {
  bool known = true;
  EXPECT_EQ(CostModelOf("custom", &known).linear_flops_per_token,
            CostModelOf("deepseek-v3-fp8").linear_flops_per_token);
  EXPECT_FALSE(known);
}

TEST(CostModelTest, SparseAttentionIsNotTakenForV3) {
  EXPECT_LT(CostModelOf("deepseek-v3.2").attention_flops_per_token_and_depth,
            CostModelOf("deepseek-v3-bf16").attention_flops_per_token_and_depth);
}

}  // namespace
}  // namespace incipit
