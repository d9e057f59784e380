#include "transport/wire/segment_table.h"

#include <gtest/gtest.h>

#include "transport/wire/frame.h"

namespace incipit::wire {
namespace {

constexpr auto kLargest = static_cast<uint32_t>(kMaxPayloadBytes);

absl::Status Decoded(const std::vector<Segment>& segments, uint64_t* payload_bytes, std::vector<Segment>* out) {
  std::vector<uint8_t> bytes;
  EncodeSegments(segments, &bytes);
  MetaReader reader("M", bytes);
  DecodeSegments(&reader, SegmentCount(segments), out, payload_bytes);
  return reader.Finish();
}

TEST(SegmentTableTest, SegmentsSurviveARoundTripAndAddToThePayload) {
  const std::vector<Segment> segments = {{1, 2, 3}, {0, 0, 0}, {400, 100, UINT64_MAX}};
  std::vector<Segment> out;
  uint64_t payload_bytes = 1000;
  EXPECT_TRUE(Decoded(segments, &payload_bytes, &out).ok());
  EXPECT_EQ(out, segments);
  EXPECT_EQ(payload_bytes, 1401u);
  EXPECT_EQ(StoredBytesOf(segments), 401u);
}

TEST(SegmentTableTest, EntriesAreLittleEndianFieldsWithoutPadding) {
  std::vector<uint8_t> bytes;
  EncodeSegments({{0x04030201, 0x08070605, 0x100f0e0d0c0b0a09}}, &bytes);
  EXPECT_EQ(bytes, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}));
}

TEST(SegmentTableTest, SizesAloneSurviveARoundTripAndCountWithWhatComesBesideThem) {
  const std::vector<Segment> segments = {{1, 2, 3}, {400, 100, UINT64_MAX}};
  std::vector<uint8_t> bytes;
  EncodeSegmentSizes(segments, &bytes);
  EXPECT_EQ(bytes.size(), 2 * kSegmentSizesBytes);
  MetaReader reader("M", bytes);
  std::vector<Segment> out;
  uint64_t payload_bytes = 1000;
  DecodeSegmentSizes(&reader, 2, 16, &out, &payload_bytes);
  EXPECT_TRUE(reader.Finish().ok());
  EXPECT_EQ(out, (std::vector<Segment>{{1, 2, 0}, {400, 100, 0}}));
  EXPECT_EQ(payload_bytes, 1417u);
  payload_bytes = kMaxFramePayloadBytes - 16;
  MetaReader again("M", bytes);
  DecodeSegmentSizes(&again, 2, 16, &out, &payload_bytes);
  EXPECT_EQ(again.Finish().code(), absl::StatusCode::kInvalidArgument);
}

TEST(SegmentTableTest, MissingEntriesAreRefusedBeforeMemoryIsReserved) {
  const std::vector<uint8_t> bytes(1023 * kSegmentEntryBytes + 15);
  MetaReader reader("M", bytes);
  std::vector<Segment> out;
  uint64_t payload_bytes = 0;
  DecodeSegments(&reader, 1024, &out, &payload_bytes);
  EXPECT_EQ(reader.Finish().message(), "M.blocks.segments: truncated at offset 0: needs 16384 bytes, 16383 are left");
  EXPECT_EQ(out.capacity(), 0u);
}

TEST(SegmentTableTest, PayloadOfTheFrameIsLimitedToTheByte) {
  std::vector<Segment> out;
  uint64_t payload_bytes = kMaxFramePayloadBytes - kLargest;
  EXPECT_TRUE(Decoded({{kLargest, 0, 0}}, &payload_bytes, &out).ok());
  EXPECT_EQ(payload_bytes, kMaxFramePayloadBytes);
  EXPECT_TRUE(Decoded({{0, 5, 0}}, &payload_bytes, &out).ok());
  EXPECT_EQ(Decoded({{1, 1, 0}}, &payload_bytes, &out).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(payload_bytes, kMaxFramePayloadBytes);
}

TEST(SegmentTableTest, CountThatDoesNotFitItsFieldIsCut) {
  const std::vector<Segment> segments(65536 + 3);
  std::vector<uint8_t> bytes;
  EncodeSegments(segments, &bytes);
  EXPECT_EQ(SegmentCount(segments), 65535);
  EXPECT_EQ(bytes.size(), 65535 * kSegmentEntryBytes);
}

}  // namespace
}  // namespace incipit::wire
