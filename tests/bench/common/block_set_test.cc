#include "bench/common/block_set.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

BlockSet SetOf(const Layout& layout, uint64_t tokens) {
  return BlockSet::Make(layout, tokens, [](GroupIndex group, uint32_t index) { return SyntheticKey(group, index); });
}

TEST(BlockSetTest, TakesWholeBlocksOnly) {
  const Layout layout = *CustomLayout(2, 8, 16);
  const BlockSet set = SetOf(layout, 100);
  EXPECT_EQ(set.tokens, 96u);
  ASSERT_EQ(set.blocks.size(), 6u);
  EXPECT_EQ(set.keys[0].size(), 6u);
  EXPECT_EQ(set.bytes, 6u * 16 * 16);
  EXPECT_EQ(set.blocks[5].depth_tokens, 80u);
  std::set<uint64_t> seeds;
  for (const PlannedBlock& block : set.blocks) seeds.insert(block.seed);
  EXPECT_EQ(seeds.size(), 6u);
}

TEST(BlockSetTest, TooFewTokensGiveNoBlocks) {
  const BlockSet set = SetOf(*CustomLayout(1, 8, 16), 15);
  EXPECT_TRUE(set.blocks.empty());
  EXPECT_EQ(set.tokens, 0u);
}

TEST(BlockSetTest, OfWindowsAndStatesOnlyWhatTheRestoreNeedsIsPlanned) {
  const absl::StatusOr<Layout> layout = NamedLayout("deepseek-v4-flash");
  ASSERT_TRUE(layout.ok()) << layout.status();
  const BlockSet set = SetOf(*layout, 1024);
  std::vector<uint64_t> planned(layout->groups.size());
  for (const PlannedBlock& block : set.blocks) ++planned[block.group];
  for (size_t g = 0; g < layout->groups.size(); ++g) {
    const GroupSpec& group = layout->groups[g];
    EXPECT_EQ(set.keys[g].size(), 1024 / group.block_tokens);
    const uint64_t expected = group.rule == HitRule::kAll      ? 1024 / group.block_tokens
                              : group.rule == HitRule::kWindow ? group.window_tokens / group.block_tokens
                                                               : 1;
    EXPECT_EQ(planned[g], expected) << group.name;
  }
}

TEST(BlockSetTest, TokensForBytesIsTheLeastThatSuffices) {
  for (const std::string& name : LayoutNames()) {
    const absl::StatusOr<Layout> layout = NamedLayout(name);
    ASSERT_TRUE(layout.ok());
    const uint64_t wanted = kGiB;
    const uint64_t tokens = TokensForBytes(*layout, wanted);
    EXPECT_GE(SetOf(*layout, tokens).bytes, wanted) << name;
    if (tokens > layout->RestoreStepTokens()) {
      EXPECT_LT(SetOf(*layout, tokens - layout->RestoreStepTokens()).bytes, wanted) << name;
    }
  }
}

TEST(BlockSetTest, BatchesKeepOrderAndLimit) {
  std::vector<PlannedBlock> blocks(7);
  for (size_t i = 0; i < blocks.size(); ++i)
    blocks[i] = {.index = static_cast<uint32_t>(i), .bytes = i == 3 ? 50u : 10u};
  const auto batches = CutIntoBatches(blocks, 20);
  ASSERT_EQ(batches.size(), 5u);
  uint32_t next = 0;
  for (const auto& batch : batches) {
    uint64_t bytes = 0;
    for (const PlannedBlock& block : batch) {
      EXPECT_EQ(block.index, next++);
      bytes += block.bytes;
    }
    EXPECT_TRUE(bytes <= 20 || batch.size() == 1);
  }
  EXPECT_EQ(next, 7u);
}

TEST(BlockSetTest, SyntheticKeysAreFixedAndDistinct) {
  EXPECT_EQ(SyntheticKey(1, 2), SyntheticKey(1, 2));
  EXPECT_FALSE(SyntheticKey(1, 2) == SyntheticKey(2, 1));
  EXPECT_EQ(SyntheticKey(1, 2).size(), 32u);
}

}  // namespace
}  // namespace incipit::bench
