#include "eviction/sim/sampled_chains.h"

#include <gtest/gtest.h>

#include <array>

namespace incipit {
namespace {

TEST(SampledChainsTest, RequestsComeBackByTheirNumber) {
  SampledChains chains(0.5);
  const std::array<SampledChains::Reference, 2> first = {{{7, 0, 1}, {9, 3, 0}}};
  const std::array<SampledChains::Reference, 1> third = {{{9, 3, 0}}};
  EXPECT_EQ(chains.Add(first), 0u);
  EXPECT_EQ(chains.Add({}), 1u);
  EXPECT_EQ(chains.Add(third), 2u);
  EXPECT_EQ(chains.Of(0, 2)[1].block, 9u);
  EXPECT_EQ(chains.Of(0, 2)[1].position, 3u);
  EXPECT_TRUE(chains.Of(0, 2)[0].exact);
  EXPECT_TRUE(chains.Of(1, 0).empty());
  EXPECT_EQ(chains.Of(2, 1)[0].block, 9u);
}

TEST(SampledChainsTest, GroupsAreOfOneSize) {
  std::array<int, SampledChains::kGroups> sizes{};
  for (uint32_t block = 0; block < 16'000; ++block) ++sizes.at(SampledChains::GroupOf(block));
  for (const int size : sizes) EXPECT_NEAR(size, 1000, 50);
}

}  // namespace
}  // namespace incipit
