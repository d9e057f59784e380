#include "cache/codec/fp8_rows.h"

#include <gtest/gtest.h>

#include <limits>

#include "cache/codec/coded_segment.h"
#include "cache/codec/fp8_lossless.h"
#include "tests/support/campaign.h"
#include "tests/support/latents.h"

namespace incipit::codec_internal {
namespace {

void PutBf16(std::vector<uint8_t>* raw, size_t index, uint16_t value) {
  std::memcpy(raw->data() + 2 * index, &value, 2);
}
float Bf16At(const std::vector<uint8_t>& raw, size_t index) {
  uint16_t value;
  std::memcpy(&value, raw.data() + 2 * index, 2);
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}
std::vector<uint8_t> RowsOf(const std::vector<uint8_t>& raw) {
  std::vector<uint8_t> rows(raw.size() / kBf16RowBytes * kFp8RowBytes);
  QuantizeRows(raw, rows);
  return rows;
}
std::vector<uint8_t> RawOf(const std::vector<uint8_t>& rows) {
  std::vector<uint8_t> raw(rows.size() / kFp8RowBytes * kBf16RowBytes);
  DequantizeRows(rows, raw);
  return raw;
}

// With a largest value of 448 the scale is 1, and codes are those of the format itself.
TEST(Fp8Rows, ValuesRoundToTheNearestEvenCode) {
  std::vector<uint8_t> raw(kBf16RowBytes, 0);
  PutBf16(&raw, 0, testing::Bf16Of(448));
  const std::pair<float, uint8_t> cases[] = {
      {1.0F, 0x38},          {-1.0F, 0xb8},         {1.0625F, 0x38},       {1.1875F, 0x3a},   {1.09375F, 0x39},
      {240.0F, 0x77},        {0.0F, 0x00},          {-0.0F, 0x80},         {0.015625F, 0x08}, {0.001953125F, 0x01},
      {0.0009765625F, 0x00}, {0.0029296875F, 0x02}, {0.01513671875F, 0x08}};
  size_t index = 1;
  for (const auto& [value, code] : cases) PutBf16(&raw, index++, testing::Bf16Of(value));
  const std::vector<uint8_t> rows = RowsOf(raw);
  EXPECT_EQ(rows[0], 0x7e);
  index = 1;
  for (const auto& [value, code] : cases) EXPECT_EQ(rows[index++], code) << value;
  float scale;
  std::memcpy(&scale, rows.data() + kFp8ScalesAt, sizeof(scale));
  EXPECT_EQ(scale, 1.0F);
}

TEST(Fp8Rows, ErrorsStayWithinHalfAStep) {
  std::mt19937_64 random(testing::CampaignSeed());
  const std::vector<uint8_t> raw = testing::Bf16Rows(16, 576, 0.5, random), again = RawOf(RowsOf(raw));
  for (size_t tile = 0; tile < raw.size() / 2; tile += 64) {
    if (tile % 576 == 512) {
      EXPECT_EQ(std::memcmp(raw.data() + 2 * tile, again.data() + 2 * tile, 128), 0) << "rope values are kept";
      continue;
    }
    for (size_t i = tile; i < tile + 64; ++i) {
      const float value = Bf16At(raw, i), error = std::fabs(Bf16At(again, i) - value);
      const float allowed = std::max(std::fabs(value) / 16 + std::fabs(value) / 256, 1e-4F);
      ASSERT_LE(error, allowed) << value << ", INCIPIT_SEED=" << testing::CampaignSeed();
    }
  }
}

TEST(Fp8Rows, StrangeValuesDoNotSpoilTheirTile) {
  std::vector<uint8_t> raw(kBf16RowBytes, 0);
  for (size_t i = 0; i < 576; ++i) PutBf16(&raw, i, testing::Bf16Of(2));
  PutBf16(&raw, 3, 0x7f80);  // infinity
  PutBf16(&raw, 4, 0xff80);
  PutBf16(&raw, 5, 0x7fc1);  // NaN
  const std::vector<uint8_t> again = RawOf(RowsOf(raw));
  EXPECT_EQ(Bf16At(again, 0), 2);
  EXPECT_EQ(Bf16At(again, 3), 2) << "the largest that its scale has";
  EXPECT_EQ(Bf16At(again, 4), -2);
  EXPECT_TRUE(std::isnan(Bf16At(again, 5)));
  const std::vector<uint8_t> zeros(kBf16RowBytes, 0);
  EXPECT_EQ(RawOf(RowsOf(zeros)), zeros);
}

// What was quantised once comes back the same ever after.
TEST(Fp8Rows, CodecIsExactOnWhatItGave) {
  std::mt19937_64 random(testing::CampaignSeed());
  CodecScratch scratch;
  const CodecOptions options = {SegmentCoding::kFp8, 576, CodecLevel::kDense};
  const std::vector<uint8_t> raw = testing::Bf16Rows(40, 576, 0.5, random);
  std::vector<uint8_t> stored(MaxCodedBytes(raw.size())), again(raw.size());
  stored.resize(EncodeSegment(options, raw, stored, &scratch));
  EXPECT_EQ(stored.size(), 40 * kFp8RowBytes + kCodedSegmentOverheadBytes);
  ASSERT_TRUE(DecodeSegment(SegmentCoding::kFp8, stored, again, &scratch).ok());
  EXPECT_EQ(again, RawOf(RowsOf(raw)));
  std::vector<uint8_t> odd(raw.begin(), raw.end() - 2), odd_again(odd.size());
  stored.resize(MaxCodedBytes(odd.size()));
  stored.resize(EncodeSegment(options, odd, stored, &scratch));
  ASSERT_TRUE(DecodeSegment(SegmentCoding::kFp8, stored, odd_again, &scratch).ok());
  EXPECT_EQ(odd_again, odd) << "no whole rows: kept as they are";
  stored.pop_back();
  EXPECT_FALSE(DecodeSegment(SegmentCoding::kFp8, stored, odd_again, &scratch).ok());
}

}  // namespace
}  // namespace incipit::codec_internal
