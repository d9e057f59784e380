#include "eviction/frequency_sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace incipit {
namespace {

TEST(FrequencySketchTest, NeverCountsTooLittleBeforeItHalves) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    std::mt19937_64 random(seed);
    FrequencySketch sketch(1000);
    std::map<uint64_t, uint32_t> counts;
    for (int i = 0; i < 5000; ++i) {
      const uint64_t key = random() % 800;
      sketch.Add(key);
      ++counts[key];
    }
    for (const auto& [key, count] : counts) {
      ASSERT_GE(sketch.Estimate(key), std::min(count, 15u)) << "seed " << seed;
    }
  }
}

TEST(FrequencySketchTest, ForgetsWhatIsNoLongerSeen) {
  FrequencySketch sketch(100);
  for (int i = 0; i < 20; ++i) sketch.Add(7);
  EXPECT_EQ(sketch.Estimate(7), 15u);
  for (uint64_t i = 0; i < 10'000; ++i) sketch.Add(1000 + i % 50);
  EXPECT_LT(sketch.Estimate(7), 15u);
}

}  // namespace
}  // namespace incipit
