#include "client/src/codec/piece_coder.h"

#include <gtest/gtest.h>

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
