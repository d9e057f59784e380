#include "bench/speed/segment_coder.h"

#include <gtest/gtest.h>

#include "bench/common/latents.h"

namespace incipit::bench {
namespace {

TEST(SegmentCoder, EveryCodecGivesBackWhatItTookOrIsLossy) {
  std::vector<uint8_t> raw(kLatentRowBytes * 41), again(raw.size());  // 41 rows are 72 of 656 bytes: good for fp8 too
  FillLatents({.segment_bytes = raw.size()}, raw);
  for (const std::string& name : SegmentCoderNames()) {
    SCOPED_TRACE(name);
    auto coder = MakeSegmentCoder(name, "");
    ASSERT_TRUE(coder.ok()) << coder.status();
    std::vector<uint8_t> stored((*coder)->MaxStoredBytes(raw.size()));
    stored.resize((*coder)->Encode(raw, stored));
    ASSERT_FALSE(stored.empty());
    ASSERT_TRUE((*coder)->Decode(stored, again));
    EXPECT_TRUE(again == raw || name == "fp8");
  }
}

TEST(SegmentCoder, UnknownNamesAreRefused) {
  EXPECT_EQ(MakeSegmentCoder("gzip", "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MakeSegmentCoder("bf16-lossless", "sse").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace incipit::bench
