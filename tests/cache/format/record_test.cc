#include "cache/format/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/format_samples.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

std::vector<uint8_t> Encoded(const RecordHeader& header) {
  std::vector<uint8_t> bytes;
  header.Encode(&bytes);
  return bytes;
}
std::vector<uint8_t> EncodedSample() { return Encoded(samples::SampleRecord()); }

// Decodes the sample with one field set and the checksum renewed.
template <typename T>
absl::Status DecodeWith(size_t at, T value) {
  auto bytes = EncodedSample();
  samples::SetField<T>(&bytes, at, value);
  samples::RepairRecordHeader(&bytes);
  return DecodeRecordHeader(bytes).status();
}

void ExpectDataLoss(const absl::Status& status, const std::string& words) {
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(words));
}

TEST(RecordTest, DecodeGivesBackWhatWasEncoded) {
  const RecordHeader header = samples::SampleRecord();
  auto bytes = Encoded(header);
  EXPECT_EQ(bytes.size(), header.HeaderBytes());
  EXPECT_EQ(bytes.size() % kRecordHeaderAlign, 0u);
  const auto peeked = PeekRecordHeaderBytes(ByteView(bytes).first(kRecordFixedBytes));
  ASSERT_TRUE(peeked.ok()) << peeked.status();
  EXPECT_EQ(*peeked, bytes.size());
  bytes.resize(bytes.size() + 100, 0xee);  // payload
  const auto decoded = DecodeRecordHeader(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, header);
}

TEST(RecordTest, EncodeAppends) {
  std::vector<uint8_t> bytes = {1, 2, 3};
  samples::SampleRecord().Encode(&bytes);
  EXPECT_TRUE(DecodeRecordHeader(ByteView(bytes).subspan(3)).ok());
}

TEST(RecordTest, TombstoneHasNoPayload) {
  RecordHeader header = samples::SampleRecord();
  header.kind = RecordKind::kTombstone;
  header.segments.clear();
  const auto decoded = DecodeRecordHeader(Encoded(header));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->kind, RecordKind::kTombstone);
  EXPECT_EQ(decoded->StoredBytes(), 0u);
}

TEST(RecordTest, LargestHeaderFitsItsLimit) {
  RecordHeader header = samples::SampleRecord();
  header.segments.assign(kMaxSegments, {65536, 65536, 1});
  EXPECT_EQ(header.StoredBytes(), kMaxPayloadBytes);
  const auto bytes = Encoded(header);
  EXPECT_LE(bytes.size(), kMaxRecordHeaderBytes);
  const auto decoded = DecodeRecordHeader(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, header);
}

TEST(RecordTest, EveryFlippedBitIsDetected) {
  const auto bytes = EncodedSample();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_EQ(DecodeRecordHeader(flipped).status().code(), absl::StatusCode::kDataLoss) << "bit " << bit;
  }
}

TEST(RecordTest, EveryTruncationIsDetected) {
  const auto bytes = EncodedSample();
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_EQ(DecodeRecordHeader(ByteView(bytes).first(length)).status().code(), absl::StatusCode::kDataLoss) << length;
  }
  for (size_t length = 0; length < kRecordFixedBytes; ++length) {
    EXPECT_EQ(PeekRecordHeaderBytes(ByteView(bytes).first(length)).status().code(), absl::StatusCode::kDataLoss)
        << length;
  }
}

TEST(RecordTest, IntactHeaderOfUnknownVersionIsRefusedByName) {
  const absl::Status status = DecodeWith<uint16_t>(4, 2);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("version is 2, this build knows 1"));
  auto bytes = EncodedSample();
  samples::SetField<uint16_t>(&bytes, 4, 2);
  EXPECT_EQ(PeekRecordHeaderBytes(bytes).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(RecordTest, ImpossibleFieldsBehindAGoodChecksumAreRefused) {
  const auto header_bytes = static_cast<uint32_t>(EncodedSample().size());
  ExpectDataLoss(DecodeWith<uint8_t>(6, 8), "codec is 8");
  ExpectDataLoss(DecodeWith<uint8_t>(7, 2), "kind is 2");
  ExpectDataLoss(DecodeWith<uint8_t>(7, 1), "0 in a tombstone");
  ExpectDataLoss(DecodeWith<uint32_t>(8, 0), "header_bytes is 0");
  ExpectDataLoss(DecodeWith<uint32_t>(8, header_bytes - 64), "header_bytes is");
  ExpectDataLoss(DecodeWith<uint32_t>(8, header_bytes + 64), "header_bytes is");
  ExpectDataLoss(DecodeWith<uint32_t>(8, UINT32_MAX), "header_bytes is 4294967295");
  ExpectDataLoss(DecodeWith<uint16_t>(12, 0), "");
  ExpectDataLoss(DecodeWith<uint16_t>(12, 1025), "segment_count is 1025");
  ExpectDataLoss(DecodeWith<uint16_t>(12, 65535), "segment_count is 65535");
  ExpectDataLoss(DecodeWith<uint16_t>(14, 0), "identity_bytes is 0");
  ExpectDataLoss(DecodeWith<uint16_t>(14, 513), "identity_bytes is 513");
  ExpectDataLoss(DecodeWith<uint64_t>(16, 1), "stored_bytes is 1");
  ExpectDataLoss(DecodeWith<uint64_t>(24, UINT64_MAX), "raw_bytes is 18446744073709551615");
  ExpectDataLoss(DecodeWith<uint64_t>(72, 1), "reserved");
  ExpectDataLoss(DecodeWith<uint8_t>(88, 0), "identity");
  ExpectDataLoss(DecodeWith<uint8_t>(header_bytes - 1, 1), "padding");
}

TEST(RecordTest, PeekRefusesImpossibleLengths) {
  const auto peek_with = [](size_t at, auto value) {
    auto bytes = EncodedSample();
    samples::SetField(&bytes, at, value);
    return PeekRecordHeaderBytes(bytes).status();
  };
  ExpectDataLoss(peek_with(0, uint32_t{0}), "magic is 0x0, expected 0x52434e49");
  ExpectDataLoss(peek_with(8, UINT32_MAX), "header_bytes");
  ExpectDataLoss(peek_with(12, uint16_t{65535}), "segment_count");
  ExpectDataLoss(peek_with(14, uint16_t{65535}), "identity_bytes");
}

TEST(RecordTest, PayloadOver64MiBIsRefused) {
  RecordHeader header = samples::SampleRecord();
  header.segments = {{kMaxPayloadBytes, kMaxPayloadBytes, 1}, {1, 1, 1}};
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "raw_bytes is 67108865");
  header.segments.assign(kMaxSegments, {UINT32_MAX, UINT32_MAX, 1});
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "stored_bytes is");
}

TEST(RecordTest, SegmentsThatDisagreeWithTheCodecAreRefused) {
  RecordHeader header = samples::SampleRecord();
  header.segments[1].stored_bytes = 999;
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "raw bytes under codec 0");
  header.segments[1] = {0, 0, 1};
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "raw_bytes is 0");
}

TEST(RecordTest, SealedSegmentsStoreAFixedNumberOfBytesMore) {
  RecordHeader header = samples::SampleRecord();
  header.codec = Codec::kSealed;
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "raw bytes under codec 1");
  for (Segment& segment : header.segments) segment.stored_bytes += kSealedOverheadBytes;
  const auto bytes = Encoded(header);
  const auto decoded = DecodeRecordHeader(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, header);
  const auto largest = static_cast<uint32_t>(kMaxPayloadBytes);
  header.segments = {{largest + kSealedOverheadBytes, largest, 1}};
  EXPECT_TRUE(DecodeRecordHeader(Encoded(header)).ok()) << "the largest block can be sealed";
}

TEST(RecordTest, CodedSegmentsHaveSizesOfTheirOwnWithinBounds) {
  RecordHeader header = samples::SampleRecord();
  header.segments = {{1008, 1000, 1}, {501, 1001, 2}, {777, 1000, 3}};
  for (const Codec codec : {Codec::kBf16Lossless, Codec::kFp8Lossless, Codec::kFp8}) {
    header.codec = codec;
    const auto decoded = DecodeRecordHeader(Encoded(header));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, header);
  }
  header.segments[0].stored_bytes = 1009;
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "is 1009, expected 500 to 1008 for 1000 raw bytes");
  header.segments[0].stored_bytes = 0;
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "is 0, expected 500 to 1008");
  header.segments[0].stored_bytes = 1008;
  header.segments[1].stored_bytes = 500;
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "is 500, expected 501 to 1009");
}

TEST(RecordTest, SegmentsThatAreCodedAndSealedHaveBothBounds) {
  RecordHeader header = samples::SampleRecord();
  header.segments = {{1048, 1000, 1}, {541, 1001, 2}, {777, 1000, 3}};
  for (const Codec codec : {Codec::kSealedBf16Lossless, Codec::kSealedFp8Lossless, Codec::kSealedFp8}) {
    header.codec = codec;
    const auto decoded = DecodeRecordHeader(Encoded(header));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, header);
  }
  header.segments[0].stored_bytes = 1049;
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "is 1049, expected 540 to 1048 for 1000 raw bytes");
  header.segments[0].stored_bytes = 539;
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "is 539, expected 540 to 1048");
  header.segments[0].stored_bytes = 1048;
  header.codec = static_cast<Codec>(8);
  ExpectDataLoss(DecodeRecordHeader(Encoded(header)).status(), "codec is 8, expected 0 to 7");
}

TEST(RecordTest, RestampEqualsEncodingAnew) {
  RecordHeader header = samples::SampleRecord();
  auto bytes = Encoded(header);
  RestampRecordHeader(bytes, 1001, 1002, 1003);
  header.sequence = 1001;
  header.region_generation = 1002;
  header.stamp_ns = 1003;
  EXPECT_EQ(bytes, Encoded(header));
}

TEST(RecordDeathTest, RestampOfHalfAHeaderAborts) {
  auto bytes = EncodedSample();
  const MutableBytes cut = MutableBytes(bytes).first(bytes.size() - 64);
  EXPECT_DEATH(RestampRecordHeader(cut, 1, 1, 1), "not one whole record header");
}

}  // namespace
}  // namespace incipit
