#include "bench/plan/sizing/gpu.h"

#include <gtest/gtest.h>

#include "eviction/cost_model.h"

namespace incipit::bench {
namespace {

TEST(GpuTest, EveryNameIsFoundAndOthersAreRefusedWithTheList) {
  for (const std::string& name : GpuNames()) {
    const absl::StatusOr<Gpu> gpu = GpuOf(name);
    ASSERT_TRUE(gpu.ok()) << gpu.status();
    EXPECT_GT(gpu->flops_per_s, 0) << name;
    EXPECT_GT(gpu->dollars_per_hour, 0) << name;
  }
  const absl::Status status = GpuOf("abacus").status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_NE(status.message().find("h200"), absl::string_view::npos) << status;
}

// Published: 128 Ki tokens of V3.2 in about 6.5 s on eight H200.
TEST(GpuTest, RatesGiveThePublishedTimeOfALongPrompt) {
  const double flops = CostModelOf("deepseek-v3.2").Flops(0, 128 << 10);
  EXPECT_NEAR(flops / (8 * GpuOf("h200")->flops_per_s), 6.5, 0.4);
}

}  // namespace
}  // namespace incipit::bench
