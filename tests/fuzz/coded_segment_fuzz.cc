// Input: a byte that chooses codec, kernel and raw length, then a coded segment, decoded as it is and with a right
// header in front; and the same bytes as values, which must come back. Short, so that inputs are many.
#include <algorithm>
#include <cstring>
#include <vector>

#include "cache/codec/coded_segment.h"
#include "tests/fuzz/check.h"

namespace {

using namespace incipit;

constexpr size_t kHeaderBytes = 8;
constexpr size_t kRowBytes = 656;

CodecScratch* ScratchOf(unsigned choice) {
  static CodecScratch best;
  static CodecScratch portable = *CodecScratch::WithKernel("portable");
  return choice % 2 == 0 ? &best : &portable;
}

void CheckDecode(SegmentCoding coding, ByteView input, size_t raw_bytes, CodecScratch* scratch) {
  const std::vector<uint8_t> stored(input.begin(), input.end());  // ends where the sanitizer sees it
  std::vector<uint8_t> raw(raw_bytes);
  const absl::Status status = DecodeSegment(coding, stored, raw, scratch);
  FUZZ_CHECK(status.ok() || !status.message().empty(), "a refusal says why");
}

void CheckRoundTrip(const CodecOptions& options, ByteView raw, CodecScratch* scratch) {
  std::vector<uint8_t> stored(MaxCodedBytes(raw.size())), again(raw.size());
  const size_t stored_bytes = EncodeSegment(options, raw, stored, scratch);
  FUZZ_CHECK(stored_bytes <= stored.size(), "a segment keeps to its bound");
  stored.resize(stored_bytes);
  stored.shrink_to_fit();
  FUZZ_CHECK(DecodeSegment(options.coding, stored, again, scratch).ok(), "what was encoded decodes");
  FUZZ_CHECK(std::ranges::equal(raw, again), "to the same bytes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const unsigned choice = data[0];
  const bool fp8 = (choice & 1) != 0;
  const SegmentCoding coding = fp8 ? SegmentCoding::kFp8Lossless : SegmentCoding::kBf16Lossless;
  CodecScratch* const scratch = ScratchOf(choice >> 1);
  const size_t times = (choice & 0x1c) == 0x1c ? 20 : 1;  // seldom more than a tile: most inputs should be quick
  const size_t raw_bytes = fp8 ? kRowBytes * (data[1] % 4) : 2 * data[1] * times + (choice >> 5 & 1);
  const ByteView input(data + 2, size - 2);
  CheckDecode(coding, input, raw_bytes, scratch);
  // A header that is right for that many raw bytes, so that what lies behind is reached.
  std::vector<uint8_t> repaired(input.begin(), input.end());
  repaired.resize(std::max(repaired.size(), kHeaderBytes));
  const uint32_t channels = fp8 ? 0 : (choice & 0x40) != 0 ? 32 : 1;
  repaired[0] = 0x11;
  repaired[1] = 0;
  repaired[2] = static_cast<uint8_t>(channels);
  repaired[3] = 0;
  const auto declared = static_cast<uint32_t>(raw_bytes);
  std::memcpy(repaired.data() + 4, &declared, sizeof(declared));
  CheckDecode(coding, repaired, raw_bytes, scratch);
  const CodecLevel level = (choice & 0x80) != 0 ? CodecLevel::kFast : CodecLevel::kDense;
  CheckRoundTrip({coding, channels, level}, input, scratch);
  return 0;
}
