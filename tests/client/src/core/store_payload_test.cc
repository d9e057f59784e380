#include "client/src/core/store_payload.h"

#include <gtest/gtest.h>

#include "cache/seams/random.h"
#include "tests/support/blocks.h"

namespace incipit {
namespace {

std::vector<uint8_t> Gather(std::span<const iovec> pieces) {
  std::vector<uint8_t> bytes;
  for (const iovec& piece : pieces) {
    const auto* data = static_cast<const uint8_t*>(piece.iov_base);
    bytes.insert(bytes.end(), data, data + piece.iov_len);
  }
  return bytes;
}

TEST(StorePayload, WhatIsSentPieceByPieceIsBlocksAndTheirChecksums) {
  const Layout layout = testing::SmallLayout(4, 64);
  const GroupSpec& group = layout.groups[0];
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    const auto random = MakeSeededRandom(seed);
    std::vector<std::vector<uint8_t>> blocks;
    std::vector<std::vector<iovec>> scattered;
    std::vector<uint8_t> expected;
    for (uint64_t i = 0; i < 1 + random->Below(6); ++i) {
      blocks.push_back(testing::PayloadOf(testing::KeyOf(i), group.BlockBytes()));
      testing::AppendStored(blocks.back(), testing::SegmentsOf(group, blocks.back()), &expected);
    }
    RawCodec codec;
    StorePayload payload(&codec);
    scattered.resize(blocks.size());
    for (size_t i = 0; i < blocks.size(); ++i) {
      for (size_t at = 0; at < blocks[i].size();) {
        const size_t bytes = std::min<size_t>(1 + random->Below(900), blocks[i].size() - at);
        scattered[i].push_back({blocks[i].data() + at, bytes});
        at += bytes;
      }
      payload.AddBlock(PieceCursor(scattered[i], 0), group.SegmentsOfPart(0), group.SegmentBytes(), {});
    }
    ASSERT_EQ(BytesOf(payload.pieces()), expected.size());
    std::vector<uint8_t> sent;
    while (sent.size() < expected.size()) {
      const uint64_t end = std::min<uint64_t>(sent.size() + 1 + random->Below(3000), expected.size());
      payload.FillUpTo(end);
      const std::vector<uint8_t> now = Gather(payload.pieces());
      sent.insert(sent.end(), now.begin() + static_cast<int64_t>(sent.size()), now.begin() + static_cast<int64_t>(end));
    }
    EXPECT_EQ(sent, expected);
    payload.FillUpTo(UINT64_MAX);
    EXPECT_EQ(Gather(payload.pieces()), expected) << "a retry changes nothing";
  }
}

}  // namespace
}  // namespace incipit
