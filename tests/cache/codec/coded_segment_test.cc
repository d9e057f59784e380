#include "cache/codec/coded_segment.h"

#include <gtest/gtest.h>

#include "tests/support/campaign.h"
#include "tests/support/latents.h"

namespace incipit {
namespace {

using testing::Bf16Rows;
using testing::Fp8Rows;
using testing::RandomBytes;

constexpr CodecOptions kDense = {SegmentCoding::kBf16Lossless, 576, CodecLevel::kDense};
constexpr CodecOptions kFast = {SegmentCoding::kBf16Lossless, 576, CodecLevel::kFast};
constexpr CodecOptions kFp8 = {SegmentCoding::kFp8Lossless, 0, CodecLevel::kDense};

std::vector<uint8_t> Encoded(const CodecOptions& options, ByteView raw, CodecScratch* scratch) {
  std::vector<uint8_t> stored(MaxCodedBytes(raw.size()));
  stored.resize(EncodeSegment(options, raw, stored, scratch));
  return stored;
}

void ExpectRoundTrip(const CodecOptions& options, ByteView raw, CodecScratch* scratch, size_t* stored_bytes = nullptr) {
  const std::vector<uint8_t> stored = Encoded(options, raw, scratch);
  ASSERT_LE(stored.size(), MaxCodedBytes(raw.size()));
  std::vector<uint8_t> again(raw.size(), 0xa5);
  const absl::Status status = DecodeSegment(options.coding, stored, again, scratch);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(std::ranges::equal(again, raw)) << "of " << raw.size() << " bytes";
  if (stored_bytes != nullptr) *stored_bytes = stored.size();
}

double RatioOf(const CodecOptions& options, ByteView raw) {
  CodecScratch scratch;
  size_t stored_bytes = 1;
  ExpectRoundTrip(options, raw, &scratch, &stored_bytes);
  return static_cast<double>(raw.size()) / static_cast<double>(stored_bytes);
}

TEST(CodedSegment, LatentsOfSpreadChannelsReachTheirRatio) {
  std::mt19937_64 random(1);
  const std::vector<uint8_t> block = Bf16Rows(64, 576, 0.5, random);
  EXPECT_GE(RatioOf(kDense, block), 1.48);
  EXPECT_GE(RatioOf(kFast, block), 1.44);
  EXPECT_GE(RatioOf(kDense, Bf16Rows(64, 576, 1.0, random)), 1.48) << "wider spread costs bases only";
  EXPECT_GE(RatioOf(kDense, Bf16Rows(16, 576, 0.5, random)), 1.45) << "blocks of 16 tokens";
}

TEST(CodedSegment, Fp8RowsShrinkAndComeBack) {
  std::mt19937_64 random(2);
  EXPECT_GE(RatioOf(kFp8, Fp8Rows(64, random)), 1.15);
}

TEST(CodedSegment, IncompressibleBytesAreKeptBehindAHeader) {
  std::mt19937_64 random(3);
  CodecScratch scratch;
  for (const CodecOptions& options : {kDense, kFast, kFp8}) {
    const std::vector<uint8_t> raw = RandomBytes(656 * 64, random);
    EXPECT_EQ(Encoded(options, raw, &scratch).size(), raw.size() + kCodedSegmentOverheadBytes);
    ExpectRoundTrip(options, raw, &scratch);
  }
}

TEST(CodedSegment, RawCodingIsTheBytesThemselves) {
  std::mt19937_64 random(4);
  CodecScratch scratch;
  const std::vector<uint8_t> raw = RandomBytes(1000, random);
  EXPECT_EQ(Encoded({}, raw, &scratch), raw);
  ExpectRoundTrip({}, raw, &scratch);
}

// Every pattern, NaN payloads, denormals and infinities among them, at every place of a row among ordinary values.
TEST(CodedSegment, AllBitPatternsComeBackFromEveryPosition) {
  std::mt19937_64 random(5);
  CodecScratch scratch;
  std::vector<uint8_t> raw = Bf16Rows(128, 576, 0.5, random);
  const std::vector<uint8_t> ordinary = raw;
  const size_t values = raw.size() / 2;
  for (uint32_t first = 0; first < 65536; first += 512) {
    raw = ordinary;
    for (uint32_t i = 0; i < 512; ++i) {  // 512 strange values at odd distances
      const auto pattern = static_cast<uint16_t>(first + i);
      std::memcpy(raw.data() + 2 * ((size_t{i} * 143 + first / 7) % values), &pattern, 2);
    }
    ExpectRoundTrip(first % 1024 == 0 ? kDense : kFast, raw, &scratch);
  }
  for (size_t i = 0; i < values; ++i) {  // all of them in turn: nothing to gain, so another path
    const auto pattern = static_cast<uint16_t>(i);
    std::memcpy(raw.data() + 2 * i, &pattern, 2);
  }
  ExpectRoundTrip(kDense, raw, &scratch);
}

TEST(CodedSegment, EmptyAndTinySegmentsComeBack) {
  std::mt19937_64 random(6);
  CodecScratch scratch;
  const std::vector<uint8_t> rows = Bf16Rows(4, 576, 0.5, random);
  for (size_t bytes = 0; bytes < 700; ++bytes) ExpectRoundTrip(kDense, ByteView(rows).first(bytes), &scratch);
  for (const size_t rows_of_fp8 : {1, 2, 3, 17}) ExpectRoundTrip(kFp8, Fp8Rows(rows_of_fp8, random), &scratch);
  ExpectRoundTrip(kFp8, Fp8Rows(2, random), &scratch);
  ExpectRoundTrip(kFp8, ByteView(rows).first(655), &scratch);  // no whole row
}

TEST(CodedSegment, ConstantAndZeroSegmentsComeBack) {
  CodecScratch scratch;
  for (const uint8_t byte : {0x00, 0x3f, 0x7f, 0x80, 0xff}) {
    const std::vector<uint8_t> raw(656 * 32, byte);
    for (const CodecOptions& options : {kDense, kFast, kFp8}) ExpectRoundTrip(options, raw, &scratch);
  }
  const std::vector<uint8_t> zeros(1152 * 64, 0);
  EXPECT_LT(Encoded(kDense, zeros, &scratch).size(), zeros.size() * 2 / 3);
}

// A base near 0 once took exponents near 255 for ones below it.
TEST(CodedSegment, LargeExponentsAmongDenormalsComeBack) {
  CodecScratch scratch;
  for (unsigned base = 0; base < 16; ++base) {
    std::vector<uint8_t> raw;
    for (unsigned i = 0; i < 4096; ++i) {
      const unsigned value = (i % 64 == 63 ? 240 + i / 64 % 16 : base) << 7 | (i & 0x7f);
      raw.push_back(static_cast<uint8_t>(value));
      raw.push_back(static_cast<uint8_t>(value >> 8));
    }
    for (const uint32_t rows : {0U, 32U}) {
      ExpectRoundTrip({SegmentCoding::kBf16Lossless, rows, CodecLevel::kDense}, raw, &scratch);
    }
  }
}

// INCIPIT_CAMPAIGN_COUNT cases from INCIPIT_SEED: any length, any alignment, any rows, kinds of data mixed.
TEST(CodedSegment, RandomSegmentsComeBackFromMisalignedBuffers) {
  std::mt19937_64 random(testing::CampaignSeed());
  CodecScratch scratch;
  const std::vector<uint8_t> spread = Bf16Rows(64, 576, 0.5, random), flat = Bf16Rows(512, 64, 0.0, random);
  const std::vector<uint8_t> rows = Fp8Rows(128, random), noise = RandomBytes(1 << 16, random);
  const std::vector<uint8_t>* const kinds[] = {&spread, &flat, &rows, &noise};
  std::vector<uint8_t> raw_memory(1 << 17), stored_memory(1 << 17), again_memory(1 << 17);
  const uint64_t count = testing::CampaignCount(2000);
  for (uint64_t i = 0; i < count; ++i) {
    SCOPED_TRACE(::testing::Message() << "case " << i << ", INCIPIT_SEED=" << testing::CampaignSeed());
    const std::vector<uint8_t>& kind = *kinds[random() % 4];
    const bool fp8 = random() % 4 == 0;
    const size_t start = random() % 8 == 0 ? random() % 100 : 0;
    size_t bytes = random() % (random() % 4 == 0 ? kind.size() - start : 6000);
    if (fp8 && random() % 8 != 0) bytes -= bytes % 656;
    const MutableBytes raw = MutableBytes(raw_memory).subspan(random() % 64, bytes);
    std::copy_n(kind.begin() + static_cast<ptrdiff_t>(start), bytes, raw.begin());
    for (uint64_t damage = random() % 4 == 0 ? random() % 64 : 0; damage > 0 && bytes > 0; --damage) {
      raw[random() % bytes] = static_cast<uint8_t>(random());
    }
    constexpr uint32_t kRows[] = {576, 64, 32, 0, 1, 100, 16384, 16416};
    const CodecOptions options = {fp8 ? SegmentCoding::kFp8Lossless : SegmentCoding::kBf16Lossless, kRows[random() % 8],
                                  random() % 2 == 0 ? CodecLevel::kFast : CodecLevel::kDense};
    const MutableBytes stored = MutableBytes(stored_memory).subspan(random() % 64, MaxCodedBytes(bytes));
    stored_memory[static_cast<size_t>(stored.data() - stored_memory.data()) + stored.size()] = 0x5a;  // a guard
    const size_t stored_bytes = EncodeSegment(options, raw, stored, &scratch);
    ASSERT_LE(stored_bytes, stored.size());
    ASSERT_EQ(stored_memory[static_cast<size_t>(stored.data() - stored_memory.data()) + stored.size()], 0x5a);
    const MutableBytes again = MutableBytes(again_memory).subspan(random() % 64, bytes);
    const absl::Status status = DecodeSegment(options.coding, stored.first(stored_bytes), again, &scratch);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(std::ranges::equal(again, raw)) << bytes << " bytes";
  }
}

TEST(CodedSegment, DamagedSegmentsNeverOverrunAndSayWhatIsWrong) {
  std::mt19937_64 random(testing::CampaignSeed());
  CodecScratch scratch;
  const std::vector<uint8_t> latents = Bf16Rows(16, 576, 0.5, random), rows = Fp8Rows(16, random);
  for (const CodecOptions& options : {kDense, kFast, kFp8}) {
    const ByteView raw = options.coding == SegmentCoding::kFp8Lossless ? ByteView(rows) : ByteView(latents);
    const std::vector<uint8_t> stored = Encoded(options, raw, &scratch);
    std::vector<uint8_t> again(raw.size());
    for (uint64_t i = 0; i < testing::CampaignCount(2000); ++i) {
      SCOPED_TRACE(::testing::Message() << "case " << i << ", INCIPIT_SEED=" << testing::CampaignSeed());
      std::vector<uint8_t> damaged = stored;
      if (random() % 2 == 0) damaged.resize(random() % stored.size());
      const size_t reach = random() % 2 == 0 ? 400 : damaged.size();
      for (uint64_t flips = 1 + random() % 4; flips > 0 && !damaged.empty(); --flips) {
        damaged[random() % std::min(reach, damaged.size())] ^= static_cast<uint8_t>(1U << random() % 8);
      }
      damaged.shrink_to_fit();  // so that a sanitizer sees the first byte behind
      const absl::Status status = DecodeSegment(options.coding, damaged, again, &scratch);
      ASSERT_TRUE(status.ok() || status.message().find("coded segment: ") != std::string::npos) << status;
      ASSERT_TRUE(damaged.size() == stored.size() || !status.ok()) << "cut short, yet taken";
    }
  }
}

TEST(CodedSegment, WrongHeadersAreRefused) {
  std::mt19937_64 random(7);
  CodecScratch scratch;
  const std::vector<uint8_t> raw = Bf16Rows(64, 576, 0.5, random);
  const std::vector<uint8_t> stored = Encoded(kDense, raw, &scratch);
  std::vector<uint8_t> again(raw.size());
  const auto code = [&](size_t at, uint8_t value) {
    std::vector<uint8_t> damaged = stored;
    damaged[at] = value;
    return DecodeSegment(SegmentCoding::kBf16Lossless, damaged, again, &scratch).code();
  };
  EXPECT_EQ(code(0, 0x21), absl::StatusCode::kFailedPrecondition) << "a version to come";
  EXPECT_EQ(code(0, 0x12), absl::StatusCode::kDataLoss) << "no such form";
  EXPECT_EQ(code(1, 1), absl::StatusCode::kDataLoss) << "reserved";
  EXPECT_EQ(code(2, 0x41), absl::StatusCode::kDataLoss) << "channels";
  EXPECT_EQ(code(4, 1), absl::StatusCode::kDataLoss) << "raw bytes";
  EXPECT_EQ(code(8, 4), absl::StatusCode::kDataLoss) << "levels";
  EXPECT_EQ(DecodeSegment(SegmentCoding::kFp8Lossless, stored, again, &scratch).code(), absl::StatusCode::kDataLoss);
  again.pop_back();
  EXPECT_EQ(DecodeSegment(SegmentCoding::kBf16Lossless, stored, again, &scratch).code(), absl::StatusCode::kDataLoss);
}

TEST(CodedSegment, NamesAreThoseOfTheTable) {
  for (const SegmentCoding coding :
       {SegmentCoding::kRaw, SegmentCoding::kBf16Lossless, SegmentCoding::kFp8Lossless, SegmentCoding::kFp8}) {
    const auto found = SegmentCodingOf(SegmentCodingName(coding));
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(*found, coding);
  }
  EXPECT_EQ(SegmentCodingOf("zip").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace incipit
