// Blocks that are coded and sealed against a node that is in the hands of somebody else.
#include <algorithm>
#include <random>

#include "tests/sim/sealed_blocks_fixture.h"
#include "tests/support/latents.h"

namespace incipit {
namespace {

using testing::KeyOf;
using SealedCodedBlocks = SealedBlocks;

// A block of the same segment over and over: all are stored in the same number of bytes.
Bytes AlikeLatents(const GroupSpec& group, uint64_t seed) {
  std::mt19937_64 random(seed);
  const size_t channels = group.bytes_per_entry / 2;
  const Bytes segment = testing::Bf16Rows(group.SegmentBytes() / group.bytes_per_entry, channels, 0.5, random);
  Bytes block;
  for (uint32_t i = 0; i < group.SegmentCount(); ++i) block.insert(block.end(), segment.begin(), segment.end());
  return block;
}

// What is coded and sealed: moved, renamed, of another block, of a size that its codec allows.
TEST_F(SealedCodedBlocks, CodedBlocksThatAreTamperedWithAreAMissAndNothingIsDecoded) {
  StartNode(16 << 20);
  const Layout layout = testing::SmallLayout(4, 1152, 64);
  const GroupSpec& group = layout.groups[0];
  const auto key = SealingKeyOf(1);
  codec_ = "bf16-lossless";
  ClientCore* client = Connect(key, layout);
  const Bytes a = KeyOf(1), b = KeyOf(2);
  // Segments of one size, so that the node takes them in any order.
  const Bytes payload_a = AlikeLatents(group, 1), payload_b = AlikeLatents(group, 2);
  ASSERT_EQ(Store(client, a, payload_a), BlockStatus::kOk);
  ASSERT_EQ(Store(client, b, payload_b), BlockStatus::kOk);
  Intruder intruder(&loop_, &network_, node_.address(), "default", SealedLayout(layout, *key));
  const Intruder::Stolen honest = intruder.Read(a);
  EXPECT_EQ(honest.codec, Codec::kSealedBf16Lossless);
  const uint64_t stored = honest.segments[0].stored_bytes;
  uint64_t forged = 0;
  const auto expect_miss = [&](const Bytes& at, const Intruder::Stolen& with, uint64_t bad_segments) {
    ASSERT_EQ(intruder.Replace(at, with), BlockStatus::kOk);
    Bytes into(group.BlockBytes(), 0xcc);
    EXPECT_EQ(Load(client, at, &into), BlockStatus::kDamaged);
    forged += bad_segments;
    EXPECT_EQ(client->counters().forged_segments, forged);
    EXPECT_EQ(std::ranges::count(into, 0xcc) == static_cast<int64_t>(into.size()), bad_segments == 4);
  };
  expect_miss(b, honest, 4);  // another block's
  Intruder::Stolen renamed = honest;
  renamed.codec = Codec::kSealedFp8Lossless;
  expect_miss(a, renamed, 4);
  Intruder::Stolen swapped = honest;
  ASSERT_EQ(honest.segments[2].stored_bytes, stored);
  std::swap_ranges(swapped.bytes.begin(), swapped.bytes.begin() + static_cast<int64_t>(stored),
                   swapped.bytes.begin() + static_cast<int64_t>(2 * stored));
  expect_miss(a, swapped, 2);
  for (const size_t at : {size_t{0}, size_t{13}, size_t{24}, size_t{31}, stored - 1}) {  // 31: what a header would say
    Intruder::Stolen flipped = honest;
    flipped.bytes[at] ^= 1;
    expect_miss(a, flipped, 1);
  }
  Intruder::Stolen shorter = honest;
  --shorter.segments[3].stored_bytes;
  shorter.bytes.pop_back();
  expect_miss(a, shorter, 1);
  // Lossy, and so for nobody here; and under the name of what is only sealed the node itself finds the size wrong.
  renamed.codec = Codec::kSealedFp8;
  ASSERT_EQ(intruder.Replace(a, renamed), BlockStatus::kOk);
  Bytes into(group.BlockBytes(), 0xcc);
  EXPECT_EQ(Load(client, a, &into), BlockStatus::kRejected);
  renamed.codec = Codec::kSealed;
  EXPECT_EQ(intruder.Replace(a, renamed), BlockStatus::kRejected);
  ASSERT_EQ(intruder.Replace(a, honest), BlockStatus::kOk);
  EXPECT_EQ(Hit(client, layout, a), payload_a);
  EXPECT_EQ(Hit(client, layout, a).size(), group.BlockBytes());
}

// A client of a release that does not know these codecs gets no bytes that it would take for nonsense, and stores none.
TEST_F(SealedCodedBlocks, CodecsThatAConnectionDoesNotKnowAreRejected) {
  StartNode(16 << 20);
  const Layout layout = testing::SmallLayout(4, 1152, 64);
  codec_ = "bf16-lossless";
  ClientCore* client = Connect(SealingKeyOf(1), layout);
  const Bytes a = KeyOf(1), payload = AlikeLatents(layout.groups[0], 1);
  ASSERT_EQ(Store(client, a, payload), BlockStatus::kOk);
  const Layout sealed = SealedLayout(layout, *SealingKeyOf(1));
  Intruder knows(&loop_, &network_, node_.address(), "default", sealed);
  Intruder old(&loop_, &network_, node_.address(), "default", sealed, /*features=*/0);
  const Intruder::Stolen honest = knows.Read(a);
  EXPECT_TRUE(old.Read(a, BlockStatus::kRejected).bytes.empty());
  EXPECT_EQ(old.Replace(a, honest), BlockStatus::kRejected);
  EXPECT_EQ(knows.Replace(a, honest), BlockStatus::kOk);
  EXPECT_EQ(Hit(client, layout, a), payload);
}

}  // namespace
}  // namespace incipit
