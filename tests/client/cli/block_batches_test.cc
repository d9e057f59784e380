#include "client/cli/block_batches.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

// Blocks of 2 * 8 * 4 = 64 bytes.
BlockChain ChainOf(size_t blocks) {
  BlockChainOptions options;
  options.layout = {.name = "custom:2x8", .block_tokens = 4};
  options.text = std::string(16 * blocks, 'x');
  const absl::StatusOr<BlockChain> chain = MakeBlockChain(options);
  EXPECT_TRUE(chain.ok()) << chain.status();
  return *chain;
}

TEST(BlockBatchesTest, BatchesCoverAllBlocksOnceWithinTheBound) {
  const BlockChain chain = ChainOf(10);
  const auto batches = CutIntoBatches(chain, 64 * 3);
  ASSERT_EQ(batches.size(), 4u);
  const ChainBlock* next = chain.blocks.data();
  for (const auto batch : batches) {
    EXPECT_EQ(batch.data(), next);
    EXPECT_LE(PayloadBytesOf(chain, batch), 64u * 3);
    next += batch.size();
  }
  EXPECT_EQ(next, chain.blocks.data() + chain.blocks.size());
}

TEST(BlockBatchesTest, BlockOverTheBoundTravelsAlone) {
  const BlockChain chain = ChainOf(3);
  const auto batches = CutIntoBatches(chain, 1);
  ASSERT_EQ(batches.size(), 3u);
  for (const auto batch : batches) EXPECT_EQ(batch.size(), 1u);
}

TEST(BlockBatchesTest, NoBlocksMakeNoBatch) {
  BlockChain chain = ChainOf(1);
  chain.blocks.clear();
  EXPECT_TRUE(CutIntoBatches(chain, 64).empty());
}

}  // namespace
}  // namespace incipit
