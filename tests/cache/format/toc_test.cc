#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/format/region.h"
#include "tests/support/format_samples.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kRegionBytes = 1 << 20;

template <typename Change>
void ExpectRefused(Change change, const std::string& words) {
  auto entries = samples::SampleToc();
  change(&entries);
  const auto count = static_cast<uint32_t>(entries.size());
  const absl::Status status = DecodeToc(EncodeToc(entries), count, kRegionBytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << words;
  EXPECT_THAT(std::string(status.message()), HasSubstr(words));
}
using Entries = std::vector<TocEntry>*;

TEST(TocTest, DecodeGivesBackWhatWasEncoded) {
  const auto entries = samples::SampleToc();
  const auto bytes = EncodeToc(entries);
  size_t expected_bytes = 0;
  for (const TocEntry& entry : entries) expected_bytes += entry.EncodedBytes();
  EXPECT_EQ(bytes.size(), expected_bytes);
  const auto decoded = DecodeToc(bytes, 3, kRegionBytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, entries);
}

TEST(TocTest, EmptyTableIsFine) {
  const auto decoded = DecodeToc({}, 0, kRegionBytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(decoded->empty());
}

TEST(TocTest, EveryFlippedBitChangesTheChecksumThatTheFooterHolds) {
  const auto bytes = EncodeToc(samples::SampleToc());
  const auto footer = RegionFooter::Decode(samples::SampleRegionFooter().Encode());
  ASSERT_TRUE(footer.ok());
  ASSERT_EQ(Xxh3Of(bytes), footer->toc_checksum);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_NE(Xxh3Of(flipped), footer->toc_checksum) << "bit " << bit;
    const auto decoded = DecodeToc(flipped, 3, kRegionBytes);  // must not crash, nor lose what was flipped
    if (decoded.ok()) {
      EXPECT_EQ(EncodeToc(*decoded), flipped) << "bit " << bit;
    }
  }
}

TEST(TocTest, EveryTruncationIsDetected) {
  const auto bytes = EncodeToc(samples::SampleToc());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_EQ(DecodeToc(ByteView(bytes).first(length), 3, kRegionBytes).status().code(), absl::StatusCode::kDataLoss)
        << length;
  }
}

TEST(TocTest, CountThatDisagreesWithTheBytesIsRefused) {
  const auto bytes = EncodeToc(samples::SampleToc());
  for (uint32_t count : {0u, 1u, 2u, 4u, 1'000'000u, UINT32_MAX}) {
    EXPECT_EQ(DecodeToc(bytes, count, kRegionBytes).status().code(), absl::StatusCode::kDataLoss) << count;
  }
}

TEST(TocTest, OffsetsOutOfBoundsOrOrderAreRefused) {
  ExpectRefused([](Entries e) { (*e)[0].offset = 0; }, "entry 0: offset is 0");
  ExpectRefused([](Entries e) { (*e)[0].offset += 8; }, "a multiple of 512");
  ExpectRefused([](Entries e) { (*e)[2].offset = (*e)[0].offset; }, "entry 2: offset is 4096");
  ExpectRefused([](Entries e) { (*e)[1].offset -= 512; }, "entry 1: offset");
  ExpectRefused([](Entries e) { (*e)[2].offset = kRegionBytes - 4096; }, "end by 1044480");
  ExpectRefused([](Entries e) { (*e)[2].offset = UINT32_MAX - 511; }, "end by 1044480");
  const auto bytes = EncodeToc(samples::SampleToc());
  EXPECT_EQ(DecodeToc(bytes, 3, kMinRegionBytes).status().code(), absl::StatusCode::kDataLoss);
}

TEST(TocTest, RecordMayEndWhereTheFooterBegins) {
  auto entries = samples::SampleToc();
  entries[2].stored_bytes = entries[2].raw_bytes =
      static_cast<uint32_t>(kRegionBytes - kDiskPageBytes - entries[2].offset - entries[2].header_bytes);
  EXPECT_TRUE(DecodeToc(EncodeToc(entries), 3, kRegionBytes).ok());
  ExpectRefused([&](Entries e) { (*e)[2].stored_bytes = (*e)[2].raw_bytes = entries[2].stored_bytes + 1; }, "offset");
}

TEST(TocTest, SealedRecordsStoreAFixedNumberOfBytesMoreASegment) {
  auto entries = samples::SampleToc();
  entries[0].codec = Codec::kSealed;
  EXPECT_FALSE(DecodeToc(EncodeToc(entries), 3, kRegionBytes).ok());
  entries[0].stored_bytes = entries[0].raw_bytes + entries[0].segment_count * kSealedOverheadBytes;
  const auto decoded = DecodeToc(EncodeToc(entries), 3, kRegionBytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, entries);
}

TEST(TocTest, CodedRecordsStoreWhatIsWithinBounds) {
  auto entries = samples::SampleToc();
  entries[0].codec = Codec::kBf16Lossless;
  const uint32_t raw_bytes = entries[0].raw_bytes;
  for (const uint32_t stored : {(raw_bytes + 1) / 2, raw_bytes}) {
    entries[0].stored_bytes = stored;
    const auto decoded = DecodeToc(EncodeToc(entries), 3, kRegionBytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, entries);
  }
  for (const uint32_t stored : {(raw_bytes + 1) / 2 - 1, raw_bytes + entries[0].segment_count * 8 + 1}) {
    entries[0].stored_bytes = stored;
    EXPECT_EQ(DecodeToc(EncodeToc(entries), 3, kRegionBytes).status().code(), absl::StatusCode::kDataLoss) << stored;
  }
}

TEST(TocTest, ImpossibleFieldsAreRefused) {
  ExpectRefused([](Entries e) { (*e)[0].header_bytes += 64; }, "header_bytes");
  ExpectRefused([](Entries e) { (*e)[0].stored_bytes -= 1; }, "raw bytes under codec 0");
  ExpectRefused([](Entries e) { (*e)[0].segment_count = 1025; }, "segment_count is 1025");
  ExpectRefused([](Entries e) { (*e)[0].kind = static_cast<RecordKind>(2); }, "kind is 2");
  ExpectRefused([](Entries e) { (*e)[0].codec = static_cast<Codec>(9); }, "codec is 9");
  ExpectRefused([](Entries e) { (*e)[0].kind = RecordKind::kTombstone; }, "0 in a tombstone");
  ExpectRefused([](Entries e) { (*e)[1].stored_bytes = (*e)[1].raw_bytes = 1; }, "0 in a tombstone");
  ExpectRefused([](Entries e) { (*e)[2].raw_bytes = UINT32_MAX; }, "raw_bytes");
  ExpectRefused([](Entries e) { (*e)[2].sequence = 0; }, "sequence is 0");
  ExpectRefused([](Entries e) { (*e)[2].identity[0] ^= 1; }, "entry 2: identity");
}

TEST(TocTest, RegionSizeOutOfRangeIsTheCallersMistake) {
  for (uint64_t region_bytes : {uint64_t{0}, kMinRegionBytes - 1, kMaxRegionBytes + 1, UINT64_MAX}) {
    EXPECT_EQ(DecodeToc({}, 0, region_bytes).status().code(), absl::StatusCode::kInvalidArgument) << region_bytes;
  }
}

}  // namespace
}  // namespace incipit
