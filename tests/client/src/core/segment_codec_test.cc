#include "client/src/core/segment_codec.h"

#include <gtest/gtest.h>

#include <vector>

namespace incipit {
namespace {

TEST(SegmentCodec, EncodedSegmentVerifiesAndAChangedOneDoesNot) {
  std::vector<uint8_t> bytes(1000, 5);
  const iovec pieces[] = {{bytes.data(), 300}, {bytes.data() + 300, 700}};
  const Segment segment = EncodeSegment(pieces, bytes.size());
  EXPECT_EQ(segment.raw_bytes, 1000u);
  EXPECT_EQ(segment.stored_bytes, 1000u);
  EXPECT_TRUE(VerifySegment(pieces, segment));
  bytes[999] ^= 1;
  EXPECT_FALSE(VerifySegment(pieces, segment));
}

TEST(SegmentCodec, OtherSizesAreImpossible) {
  const Segment segment{.stored_bytes = 64, .raw_bytes = 64};
  EXPECT_TRUE(IsPossibleSegment(Codec::kRaw, segment, 64));
  EXPECT_FALSE(IsPossibleSegment(Codec::kRaw, segment, 65));
  EXPECT_FALSE(IsPossibleSegment(Codec::kRaw, {.stored_bytes = 63, .raw_bytes = 64}, 64));
  EXPECT_FALSE(IsPossibleSegment(static_cast<Codec>(7), segment, 64));
}

}  // namespace
}  // namespace incipit
