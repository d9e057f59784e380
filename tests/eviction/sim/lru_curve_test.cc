#include "eviction/sim/lru_curve.h"

#include <gtest/gtest.h>

#include "eviction/sim/policy_sim.h"
#include "tests/eviction/sim/random_trace.h"

namespace incipit {
namespace {

TEST(LruCurveTest, HitsAtEachSizeAsThePolicyItself) {
  const CostModel cost = CostModelOf("deepseek-v3");
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const PrefixTrace trace = MakeRandomTrace(seed);
    const std::vector<uint64_t> capacities = {1, 2, 7, 20, 50, 150, 100'000};
    const std::vector<HitTotals> curve = SimulateLru(trace, capacities, cost);
    for (size_t i = 0; i < capacities.size(); ++i) {
      const HitTotals one =
          SimulatePolicy(trace, {.capacity_blocks = capacities[i], .cost = cost}, [](size_t, uint32_t) {
            return MakeLeafFirstLru();
          }).totals;
      EXPECT_EQ(curve[i].hit_tokens, one.hit_tokens) << "seed " << seed << ", capacity " << capacities[i];
      EXPECT_EQ(curve[i].hit_flops, one.hit_flops) << "seed " << seed << ", capacity " << capacities[i];
    }
  }
}

}  // namespace
}  // namespace incipit
