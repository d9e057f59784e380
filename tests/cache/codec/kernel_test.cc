// All kernels write the same bytes and read each other's.
#include "cache/codec/kernel.h"

#include <gtest/gtest.h>

#include "cache/codec/coded_segment.h"
#include "tests/support/campaign.h"
#include "tests/support/latents.h"

namespace incipit {
namespace {

using codec_internal::CanRun;
using codec_internal::kAvx2Kernel;
using codec_internal::kAvx512Kernel;
using codec_internal::kPortableKernel;

std::vector<CodecScratch> AllScratches() {
  std::vector<CodecScratch> all;
  for (const char* name : {"portable", "avx2", "avx512"}) {
    auto scratch = CodecScratch::WithKernel(name);
    if (scratch.ok()) all.push_back(*std::move(scratch));
  }
  return all;
}

TEST(CodecKernel, AllInstructionSetsWriteAndReadTheSameBytes) {
  std::vector<CodecScratch> scratches = AllScratches();
  std::mt19937_64 random(testing::CampaignSeed());
  const std::vector<uint8_t> spread = testing::Bf16Rows(70, 576, 1.0, random), rows = testing::Fp8Rows(70, random);
  for (uint64_t i = 0; i < testing::CampaignCount(200); ++i) {
    SCOPED_TRACE(::testing::Message() << "case " << i << ", INCIPIT_SEED=" << testing::CampaignSeed());
    const bool fp8 = i % 3 == 0;
    std::vector<uint8_t> raw = fp8 ? rows : spread;
    raw.resize(fp8 ? 656 * (1 + random() % 70) : random() % raw.size());
    for (uint64_t damage = random() % 200; damage > 0 && !raw.empty(); --damage) {
      raw[random() % raw.size()] = static_cast<uint8_t>(random());
    }
    const CodecOptions options = {fp8 ? SegmentCoding::kFp8Lossless : SegmentCoding::kBf16Lossless, 576,
                                  i % 2 == 0 ? CodecLevel::kFast : CodecLevel::kDense};
    std::vector<uint8_t> first;
    for (CodecScratch& scratch : scratches) {
      std::vector<uint8_t> stored(MaxCodedBytes(raw.size()));
      stored.resize(EncodeSegment(options, raw, stored, &scratch));
      if (first.empty()) first = stored;
      ASSERT_EQ(stored, first);
      std::vector<uint8_t> again(raw.size());
      const absl::Status status = DecodeSegment(options.coding, first, again, &scratch);
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_EQ(again, raw);
    }
  }
}

TEST(CodecKernel, PortableRunsEverywhereAndUnknownNamesAreRefused) {
  EXPECT_TRUE(CanRun(kPortableKernel));
  EXPECT_TRUE(CodecScratch::WithKernel("portable").ok());
  EXPECT_EQ(CodecScratch::WithKernel("sse").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(CodecScratch::WithKernel("avx2").ok(), CanRun(kAvx2Kernel));
  EXPECT_EQ(CodecScratch::WithKernel("avx512").ok(), CanRun(kAvx512Kernel));
}

}  // namespace
}  // namespace incipit
