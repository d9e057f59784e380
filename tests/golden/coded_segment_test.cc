// Coded segments against files written when version 1 was made, and the worked example of docs/coded_segments.md.
#include <gtest/gtest.h>

#include <random>

#include "cache/base/xxh3.h"
#include "cache/codec/coded_segment.h"
#include "tests/support/golden_file.h"

namespace incipit {
namespace {

// The example's 128 values: 1.0 and its neighbours mostly, then 0, infinity, a NaN with a payload.
std::vector<uint8_t> ExampleValues() {
  std::vector<uint8_t> raw;
  for (uint32_t i = 0; i < 128; ++i) {
    uint32_t value = (0x3f80U - 0x80 * (i % 4)) | (i & 0x7f);
    if (i % 16 == 5) value = 0x8000 | (0x3d00 + i);
    if (i == 77) value = 0;
    if (i == 78) value = 0x7f80;
    if (i == 79) value = 0xffc1;
    raw.push_back(static_cast<uint8_t>(value));
    raw.push_back(static_cast<uint8_t>(value >> 8));
  }
  return raw;
}

std::vector<uint8_t> Encoded(const CodecOptions& options, ByteView raw) {
  CodecScratch scratch;
  std::vector<uint8_t> stored(MaxCodedBytes(raw.size()));
  stored.resize(EncodeSegment(options, raw, stored, &scratch));
  return stored;
}

void ExpectDecodes(SegmentCoding coding, ByteView stored, ByteView raw) {
  CodecScratch scratch;
  std::vector<uint8_t> again(raw.size());
  const absl::Status status = DecodeSegment(coding, stored, again, &scratch);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(std::ranges::equal(again, raw));
}

TEST(CodedSegmentGolden, WorkedExampleIsThatOfThePage) {
  const std::vector<uint8_t> raw = ExampleValues();
  const std::vector<uint8_t> stored = Encoded({SegmentCoding::kBf16Lossless, 0, CodecLevel::kDense}, raw);
  golden::ExpectFile("formats/coded_segment.hex", golden::HexDump(stored));
  ExpectDecodes(SegmentCoding::kBf16Lossless, golden::BytesOfDump("formats/coded_segment.hex"), raw);
  const std::string page = golden::SourceText("docs/coded_segments.md");
  EXPECT_NE(page.find(golden::HexDump(stored)), std::string::npos) << golden::HexDump(stored);
}

// Larger ones by their hash: the input is drawn from a generator that is the same
// everywhere. A later build may encode differently, but must read what this one wrote, so these change only with a
// reason.
TEST(CodedSegmentGolden, EncodersStillWriteTheSameBytes) {
  std::mt19937 random(7);
  std::string hashes;
  for (const uint32_t row_values : {0U, 64U, 576U}) {
    for (const CodecLevel level : {CodecLevel::kFast, CodecLevel::kDense}) {
      std::vector<uint8_t> raw;
      for (size_t i = 0; i < size_t{576} * 40 + 5; ++i) {
        const uint32_t draw = random();
        const uint32_t exponent = 120 + i % 7 - static_cast<uint32_t>(__builtin_ctz(draw | 0x10000));
        const uint32_t value = (draw >> 31) << 15 | exponent << 7 | (draw >> 20 & 0x7f);
        raw.push_back(static_cast<uint8_t>(value));
        raw.push_back(static_cast<uint8_t>(value >> 8));
      }
      const std::vector<uint8_t> stored = Encoded({SegmentCoding::kBf16Lossless, row_values, level}, raw);
      ExpectDecodes(SegmentCoding::kBf16Lossless, stored, raw);
      absl::StrAppendFormat(&hashes, "bf16-lossless rows of %d level %d: %d to %d bytes, XXH3-64 %016x\n", row_values,
                            static_cast<int>(level), raw.size(), stored.size(), Xxh3Of(stored));
    }
  }
  golden::ExpectFile("formats/coded_segments.txt", hashes);
}

}  // namespace
}  // namespace incipit
