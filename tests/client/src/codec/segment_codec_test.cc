#include "client/src/codec/segment_codec.h"

#include <gtest/gtest.h>

#include <vector>

namespace incipit {
namespace {

TEST(SegmentCodec, ChangedBytesDoNotVerify) {
  std::vector<uint8_t> bytes(1000, 5);
  const iovec pieces[] = {{bytes.data(), 300}, {bytes.data() + 300, 700}};
  const Segment segment{.stored_bytes = 1000, .raw_bytes = 1000, .checksum = Xxh3Of(bytes)};
  EXPECT_TRUE(VerifySegment(pieces, segment));
  bytes[999] ^= 1;
  EXPECT_FALSE(VerifySegment(pieces, segment));
}

TEST(SegmentCodec, OtherSizesAreImpossible) {
  const Segment raw{.stored_bytes = 64, .raw_bytes = 64};
  EXPECT_TRUE(IsPossibleSegment(Codec::kRaw, raw, 64));
  EXPECT_FALSE(IsPossibleSegment(Codec::kRaw, raw, 65));
  EXPECT_FALSE(IsPossibleSegment(Codec::kRaw, {.stored_bytes = 63, .raw_bytes = 64}, 64));
  EXPECT_FALSE(IsPossibleSegment(static_cast<Codec>(8), raw, 64));
  const Segment sealed{.stored_bytes = 104, .raw_bytes = 64};
  EXPECT_TRUE(IsPossibleSegment(Codec::kSealed, sealed, 64));
  EXPECT_FALSE(IsPossibleSegment(Codec::kSealed, raw, 64));
  EXPECT_FALSE(IsPossibleSegment(Codec::kRaw, sealed, 64));
  for (const uint32_t stored : {32, 50, 72}) {
    EXPECT_TRUE(IsPossibleSegment(Codec::kBf16Lossless, {.stored_bytes = stored, .raw_bytes = 64}, 64)) << stored;
  }
  for (const uint32_t stored : {0, 31, 73}) {
    EXPECT_FALSE(IsPossibleSegment(Codec::kBf16Lossless, {.stored_bytes = stored, .raw_bytes = 64}, 64)) << stored;
  }
}

TEST(SegmentCodec, RawSegmentsStayWhereTheyLie) {
  RawCodec raw;
  EXPECT_TRUE(raw.in_place());
  EXPECT_EQ(raw.MaxStoredBytes(1000), 1000u);
  std::vector<uint8_t> bytes(10, 1);
  const iovec piece{bytes.data(), bytes.size()};
  EXPECT_FALSE(raw.Decode({}, bytes, {&piece, 1})) << "nothing asks for it";
}

}  // namespace
}  // namespace incipit
