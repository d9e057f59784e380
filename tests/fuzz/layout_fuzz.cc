// Input: an encoded layout. What Decode accepts must be valid, within its limits, and encode to the same bytes.
#include <algorithm>

#include "cache/format/layout.h"
#include "tests/fuzz/check.h"

namespace {

using incipit::GroupSpec;

void CheckSizes(const GroupSpec& group) {
  const uint64_t block_bytes = group.BlockBytes();
  FUZZ_CHECK(block_bytes > 0 && block_bytes <= incipit::kMaxBlockBytes, "a block is within its limit");
  FUZZ_CHECK(group.SegmentBytes() * group.SegmentCount() == block_bytes, "segments make up the block");
  uint64_t segments = 0;
  for (uint32_t part = 0; part < group.PartCount(); ++part) {
    const uint32_t count = group.SegmentsOfPart(part);
    FUZZ_CHECK(count > 0 && count <= incipit::kMaxSegments, "a part has segments, and not too many");
    FUZZ_CHECK(count * group.SegmentBytes() <= incipit::kMaxPayloadBytes, "a part fits one payload");
    segments += count;
  }
  FUZZ_CHECK(segments == group.SegmentCount(), "parts make up the block");
  FUZZ_CHECK(group.SegmentsOfPart(group.PartCount()) == 0, "no segments past the last part");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const incipit::ByteView input(data, size);
  const auto layout = incipit::Layout::Decode(input);
  if (!layout.ok()) {
    FUZZ_CHECK(!layout.status().message().empty(), "a refusal says why");
    return 0;
  }
  FUZZ_CHECK(std::ranges::equal(layout->Encode(), input), "an accepted layout encodes to the same bytes");
  FUZZ_CHECK(layout->RestoreStepTokens() <= incipit::kMaxRestoreStepTokens, "the restore step is within its limit");
  for (const GroupSpec& group : layout->groups) CheckSizes(group);
  return 0;
}
