#include "client/src/codec/piece_coder.h"

#include <gtest/gtest.h>

#include "tests/support/format_samples.h"
#include "tests/support/latents.h"

namespace incipit {
namespace {

constexpr size_t kChannels = 576;

// Cuts `bytes` into pieces of 1 to `most` bytes.
std::vector<iovec> Scattered(MutableBytes bytes, size_t most, std::mt19937_64& random) {
  std::vector<iovec> pieces;
  while (!bytes.empty()) {
    const size_t take = std::min<size_t>(1 + random() % most, bytes.size());
    pieces.push_back({bytes.data(), take});
    bytes = bytes.subspan(take);
  }
  return pieces;
}

TEST(PieceCoder, PiecesMakeNoDifference) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    std::vector<uint8_t> raw = testing::Bf16Rows(16, kChannels, 0.5, random), again(raw.size());
    const CodecOptions options{.coding = SegmentCoding::kBf16Lossless, .row_values = kChannels};
    PieceCoder coder;
    const iovec whole{raw.data(), raw.size()};
    std::vector<uint8_t> stored(MaxCodedBytes(raw.size())), stored_of_pieces(stored.size());
    stored.resize(coder.Encode(options, {&whole, 1}, stored));
    stored_of_pieces.resize(coder.Encode(options, Scattered(raw, 3000, random), stored_of_pieces));
    EXPECT_EQ(stored, stored_of_pieces);
    EXPECT_LT(stored.size() * 4, raw.size() * 3);
    EXPECT_TRUE(coder.Decode(Codec::kBf16Lossless, stored, Scattered(again, 3000, random)));
    EXPECT_EQ(again, raw);
  }
}

TEST(PieceCoder, WhatIsCodedAndSealedComesBackOrLeavesNothing) {
  std::mt19937_64 random(4);
  SealedCodec sealer(**SealingKey::FromBytes(samples::CountingBytes(32, 1)),
                     FrameNamespace(samples::SampleNamespace()));
  const std::vector<uint8_t> identity = samples::SampleIdentity();
  const SegmentPlace place{identity, 2};
  const CodecOptions options{.coding = SegmentCoding::kBf16Lossless, .row_values = kChannels};
  PieceCoder coder;
  for (const bool noise : {false, true}) {  // what does not shrink is kept plain inside its seal
    std::vector<uint8_t> raw = testing::Bf16Rows(16, kChannels, 0.5, random);
    if (noise) raw = testing::RandomBytes(raw.size(), random);
    std::vector<uint8_t> stored(MaxCodedBytes(raw.size()) + kSealedOverheadBytes), again(raw.size(), 0xee);
    stored.resize(coder.EncodeSealed(options, &sealer, place, Scattered(raw, 3000, random), stored));
    EXPECT_EQ(stored.size() * 4 < raw.size() * 3, !noise);
    const auto decode = [&](Codec codec, const SegmentPlace& at, ByteView bytes) {
      return coder.DecodeSealed(codec, &sealer, at, bytes, Scattered(again, 3000, random));
    };
    std::vector<uint8_t> changed = stored;
    changed[30] ^= 1;
    EXPECT_FALSE(decode(Codec::kSealedBf16Lossless, place, changed));
    EXPECT_FALSE(decode(Codec::kSealedFp8, place, stored));
    EXPECT_FALSE(decode(Codec::kSealedBf16Lossless, {identity, 3}, stored));
    EXPECT_FALSE(decode(Codec::kSealedBf16Lossless, place, ByteView(stored).first(kSealedOverheadBytes)));
    EXPECT_EQ(again, std::vector<uint8_t>(raw.size(), 0xee)) << "nothing is decoded before it was opened";
    EXPECT_TRUE(decode(Codec::kSealedBf16Lossless, place, stored));
    EXPECT_EQ(again, raw);
  }
}

TEST(PieceCoder, WhatIsNoSegmentIsNotDecoded) {
  std::mt19937_64 random(1);
  PieceCoder coder;
  std::vector<uint8_t> raw(5000);
  const std::vector<uint8_t> noise = testing::RandomBytes(3000, random);
  for (const Codec codec : {Codec::kBf16Lossless, Codec::kFp8Lossless, Codec::kFp8}) {
    EXPECT_FALSE(coder.Decode(codec, noise, Scattered(raw, 700, random)));
    const iovec whole{raw.data(), raw.size()};
    EXPECT_FALSE(coder.Decode(codec, {}, {&whole, 1}));
  }
}

}  // namespace
}  // namespace incipit
