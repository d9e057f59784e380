#include "client/src/core/store_message_builder.h"

#include <gtest/gtest.h>

#include "cache/seams/random.h"
#include "tests/support/blocks.h"

namespace incipit {
namespace {

TEST(StoreMessageBuilder, AnyStepsGiveTheSameMessage) {
  const Layout layout = testing::SmallLayout(4, 64);
  const GroupSpec& group = layout.groups[0];
  std::vector<std::vector<uint8_t>> keys;
  std::vector<uint8_t> payload;
  wire::Store expected;
  for (uint64_t i = 0; i < 5; ++i) {
    keys.push_back(testing::KeyOf(i));
    const std::vector<uint8_t> bytes = testing::PayloadOf(keys.back(), group.BlockBytes());
    payload.insert(payload.end(), bytes.begin(), bytes.end());
    wire::StoredBlock& block = expected.blocks.emplace_back();
    block.segments = testing::SegmentsOf(group, bytes);
  }
  for (size_t i = 0; i < keys.size(); ++i) expected.blocks[i].key.key = keys[i];
  std::vector<uint8_t> expected_meta;
  expected.Encode(&expected_meta);
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    const auto random = MakeSeededRandom(seed);
    std::vector<iovec> pieces;
    for (size_t at = 0; at < payload.size();) {
      const size_t bytes = std::min<size_t>(1 + random->Below(3000), payload.size() - at);
      pieces.push_back({payload.data() + at, bytes});
      at += bytes;
    }
    wire::Store message = expected;
    for (wire::StoredBlock& block : message.blocks) block.segments.clear();
    const StoreMessageBuilder::Shape shape{group.SegmentsOfPart(0), group.SegmentBytes()};
    auto meta = std::make_shared<std::vector<uint8_t>>();
    StoreMessageBuilder builder(message, std::vector(keys.size(), shape), pieces, meta);
    uint64_t steps = 1;
    for (; !builder.Step(1 + random->Below(5000)); ++steps) EXPECT_TRUE(meta->empty());
    EXPECT_GT(steps, 2u);
    EXPECT_EQ(*meta, expected_meta);
    EXPECT_TRUE(builder.Step(1));
    EXPECT_EQ(*meta, expected_meta) << "a retry changes nothing";
  }
}

}  // namespace
}  // namespace incipit
