#include "client/cli/seeded_payload.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

BlockChain Chain(const std::string& layout = "custom:3x7") {
  BlockChainOptions options;
  options.layout = {.name = layout, .block_tokens = 4};
  options.text = std::string(16, 'a') + std::string(16, 'b');
  const absl::StatusOr<BlockChain> chain = MakeBlockChain(options);
  EXPECT_TRUE(chain.ok()) << chain.status();
  return *chain;
}

std::vector<uint8_t> Payload(const BlockChain& chain, size_t block, uint64_t seed) {
  std::vector<uint8_t> payload(chain.GroupOf(chain.blocks[block]).BlockBytes());
  FillSeededPayload(chain, chain.blocks[block], seed, payload);
  return payload;
}

TEST(SeededPayloadTest, OwnBytesAreRight) {
  const BlockChain chain = Chain();
  const std::vector<uint8_t> payload = Payload(chain, 0, 1);
  EXPECT_EQ(payload.size() % 8, 4u) << "the last word is cut";
  EXPECT_EQ(CountWrongBytes(chain, chain.blocks[0], 1, payload), 0u);
}

TEST(SeededPayloadTest, EveryFlippedByteIsCounted) {
  const BlockChain chain = Chain();
  std::vector<uint8_t> payload = Payload(chain, 0, 1);
  for (size_t i = 0; i < payload.size(); ++i) {
    payload[i] ^= 0x10;
    EXPECT_EQ(CountWrongBytes(chain, chain.blocks[0], 1, payload), i + 1);
  }
}

TEST(SeededPayloadTest, OtherSeedsBlocksAndLayoutsGiveOtherBytes) {
  const BlockChain chain = Chain(), other_layout = Chain("custom:7x3");
  const std::vector<uint8_t> payload = Payload(chain, 0, 1);
  EXPECT_NE(payload, Payload(chain, 0, 2));
  EXPECT_NE(payload, Payload(chain, 1, 1));
  EXPECT_NE(payload, Payload(other_layout, 0, 1));
  EXPECT_EQ(payload, Payload(chain, 0, 1));
}

}  // namespace
}  // namespace incipit
