#include "client/src/core/key_batches.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/client/src/core/plan_fixture.h"

namespace incipit {
namespace {

TEST(KeyBatches, EveryKeyComesOnceAtItsShardWithItsSlot) {
  PlanFixture f({.name = "l", .groups = {GroupOf("g", 2, 64)}}, 5);
  KeyBatcher batcher(&f.context, f.shards.get(), 1000);
  std::vector<std::vector<uint8_t>> keys;
  for (uint32_t i = 0; i < 1000; ++i) keys.push_back({static_cast<uint8_t>(i), static_cast<uint8_t>(i >> 8), 7});
  for (uint32_t i = 0; i < 1000; ++i) batcher.AddParts(0, i * 16, keys[i], i);
  std::set<uint32_t> slots;
  std::set<uint16_t> used;
  for (const KeyBatchOfShard& batch : batcher.Take()) {
    ASSERT_EQ(batch.keys.size(), batch.slots.size());
    used.insert(batch.shard);
    for (size_t i = 0; i < batch.keys.size(); ++i) {
      const uint32_t slot = batch.slots[i];
      EXPECT_TRUE(slots.insert(slot).second);
      EXPECT_EQ(batch.keys[i].key.data(), keys[slot].data());
      EXPECT_EQ(batch.keys[i].depth_tokens, slot * 16);
      EXPECT_EQ(batch.shard, ShardOfPart(&f.context, f.shards.get(), 0, 0, keys[slot]));
    }
  }
  EXPECT_EQ(slots.size(), 1000u);
  EXPECT_EQ(used.size(), 5u);
}

TEST(KeyBatches, BatchesAreCutAtTheProtocolsLimit) {
  PlanFixture f({.name = "l", .groups = {GroupOf("g", 2, 64)}}, 1);
  KeyBatcher batcher(&f.context, f.shards.get(), 10);
  const std::vector<uint8_t> key = {1};
  for (uint32_t i = 0; i < wire::kMaxBatchKeys + 1; ++i) batcher.AddParts(0, 0, key, i);
  const auto batches = batcher.Take();
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].keys.size(), wire::kMaxBatchKeys);
  EXPECT_EQ(batches[1].keys.size(), 1u);
}

TEST(KeyBatches, LargeBlocksAreNamedByTheirParts) {
  PlanFixture f({.name = "l", .groups = {GroupOf("g", 3, 30 << 20)}}, 1);  // two segments fit a part
  KeyBatcher batcher(&f.context, f.shards.get(), 1);
  const std::vector<uint8_t> key = {1};
  batcher.AddParts(0, 32, key, 9);
  const auto batches = batcher.Take();
  ASSERT_EQ(batches.size(), 1u);
  ASSERT_EQ(batches[0].keys.size(), 2u);
  EXPECT_EQ(batches[0].keys[0].part, 0);
  EXPECT_EQ(batches[0].keys[1].part, 1);
  EXPECT_EQ(batches[0].slots, std::vector<uint32_t>({9, 9}));
}

TEST(KeyBatches, CheckKeyNamesWhatIsWrong) {
  const Layout layout{.name = "l", .groups = {GroupOf("g", 2, 64)}};
  const std::vector<uint8_t> key(65, 1);
  EXPECT_TRUE(CheckKey(layout, 0, ByteView(key).first(64), "key", 0).ok());
  EXPECT_TRUE(CheckKey(layout, 0, ByteView(key).first(1), "key", 0).ok());
  for (const absl::Status& status : {CheckKey(layout, 1, ByteView(key).first(64), "key", 5),
                                     CheckKey(layout, 0, key, "key", 5), CheckKey(layout, 0, {}, "key", 5)}) {
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_EQ(std::string(status.message()).find("key 5:"), 0u) << status;
  }
}

}  // namespace
}  // namespace incipit
