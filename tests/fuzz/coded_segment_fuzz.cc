// Input: a byte that chooses codec, kernel, level and way, and another for the length. Two ways:
// - short: the rest is a coded segment, decoded as it is and with a right header in front, and the same bytes are
//   values, which must come back;
// - long (one in eight): the rest changes bytes of a segment of more than two tiles, and of the values that it was made
//   of. So inputs need not be as long as what they reach.
// fuzz: max_len=1536
#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <numeric>
#include <vector>

#include "cache/codec/coded_segment.h"
#include "tests/fuzz/check.h"

namespace {

using namespace incipit;
using Bytes = std::vector<uint8_t>;

constexpr size_t kMaxInputBytes =
    1536;  // as above: two rows of fp8, and more than twice what a bf16 tile of a group takes
constexpr size_t kHeaderBytes = 8;
constexpr size_t kRowBytes = 656;
constexpr size_t kLongValues = 4096 * 5 / 2;

// What the first byte says.
struct Choice {
  explicit Choice(uint8_t byte) : bits(byte) {}
  bool fp8() const { return (bits & 1) != 0; }
  bool other_kernel() const { return (bits & 2) != 0; }
  bool is_long() const { return (bits & 0x1c) == 0x1c; }
  bool odd() const { return (bits & 0x20) != 0; }
  bool has_channels() const { return (bits & 0x40) != 0; }
  CodecOptions options() const {
    const uint32_t channels = fp8() ? 0 : has_channels() ? 32 : 1;
    return {fp8() ? SegmentCoding::kFp8Lossless : SegmentCoding::kBf16Lossless, channels,
            (bits & 0x80) != 0 ? CodecLevel::kFast : CodecLevel::kDense};
  }
  uint8_t bits;
};

CodecScratch MakeScratch(const char* kernel) {
  absl::StatusOr<CodecScratch> scratch = CodecScratch::WithKernel(kernel);
  return scratch.ok() ? *std::move(scratch) : CodecScratch();
}

// The best kernel for half of the inputs, AVX2 for most others. The portable one costs some ten times as much: it gets
// one of 16 and, of the long ones, of 64, chosen so that no mutation can prefer it.
CodecScratch* ScratchOf(const Choice& choice, ByteView input) {
  static CodecScratch best, avx2 = MakeScratch("avx2"), portable = MakeScratch("portable");
  if (!choice.other_kernel()) return &best;
  const uint32_t sum = std::accumulate(input.begin(), input.end(), uint32_t{0}) * 2654435769U >> 16;
  return sum % (choice.is_long() ? 64 : 16) == 0 ? &portable : &avx2;
}

bool Decodes(SegmentCoding coding, const Bytes& stored, MutableBytes raw, CodecScratch* scratch) {
  const absl::Status status = DecodeSegment(coding, stored, raw, scratch);
  FUZZ_CHECK(status.ok() || !status.message().empty(), "a refusal says why");
  return status.ok();
}

void CheckRoundTrip(const CodecOptions& options, ByteView raw, CodecScratch* scratch) {
  Bytes stored(MaxCodedBytes(raw.size())), again(raw.size());
  const size_t stored_bytes = EncodeSegment(options, raw, stored, scratch);
  FUZZ_CHECK(stored_bytes <= stored.size(), "a segment keeps to its bound");
  stored.resize(stored_bytes);
  stored.shrink_to_fit();  // ends where the sanitizer sees it
  FUZZ_CHECK(Decodes(options.coding, stored, again, scratch), "what was encoded decodes");
  FUZZ_CHECK(std::ranges::equal(raw, again), "to the same bytes");
}

void CheckShort(const Choice& choice, uint8_t length, ByteView input, CodecScratch* scratch) {
  const CodecOptions options = choice.options();
  Bytes raw(choice.fp8() ? kRowBytes * (length % 4) : 2 * length + (choice.odd() ? 1 : 0));
  Bytes stored(input.begin(), input.end());
  (void)Decodes(options.coding, stored, raw, scratch);
  // A header that is right for that many raw bytes, so that what lies behind is reached.
  if (stored.size() < kHeaderBytes) stored.resize(kHeaderBytes);
  stored[0] = 0x11;
  stored[1] = 0;
  stored[2] = static_cast<uint8_t>(options.row_values);
  stored[3] = 0;
  const auto declared = static_cast<uint32_t>(raw.size());
  std::memcpy(stored.data() + 4, &declared, sizeof(declared));
  (void)Decodes(options.coding, stored, raw, scratch);
  CheckRoundTrip(options, input, scratch);
}

// Values of which each level has some, and some are exceptions.
class Values {
 public:
  void AddBf16(size_t count, Bytes* to) {
    for (; count > 0; --count) {
      const uint32_t draw = Next();
      const unsigned exponent = 120 - Below(draw), value = (draw & 0x807f) | exponent << 7;
      to->push_back(static_cast<uint8_t>(value));
      to->push_back(static_cast<uint8_t>(value >> 8));
    }
  }
  void AddE4m3(size_t count, Bytes* to) {
    for (; count > 0; --count) {
      const uint32_t draw = Next();
      to->push_back(static_cast<uint8_t>((draw & 0x87) | (15 - std::min(Below(draw), 15U)) << 3));
    }
  }

 private:
  uint32_t Next() { return state_ = state_ * 1664525 + 1013904223; }
  // Half of the offsets are 0, a quarter 1, and so on; one of 256 is anything below 64.
  static unsigned Below(uint32_t draw) {
    return draw >> 24 == 1 ? draw >> 16 & 63 : static_cast<unsigned>(std::countl_zero(draw | 1));
  }
  uint32_t state_ = 1;
};

Bytes LongRaw(const Choice& choice) {
  Values values;
  Bytes raw;
  if (!choice.fp8()) values.AddBf16(kLongValues, &raw);
  if (!choice.fp8() && choice.odd()) raw.push_back(7);
  for (size_t row = 0; choice.fp8() && row < kLongValues / 512; ++row) {
    values.AddE4m3(512, &raw);
    raw.resize(raw.size() + 16, 0x3c);  // scales
    values.AddBf16(64, &raw);
  }
  return raw;
}

struct LongSegment {
  Bytes raw, stored;
};
const LongSegment& LongSegmentOf(const Choice& choice) {
  static std::map<uint8_t, LongSegment> made;
  LongSegment& segment = made[choice.bits & 0xe1];
  if (!segment.stored.empty()) return segment;
  CodecScratch scratch;
  segment.raw = LongRaw(choice);
  segment.stored.resize(MaxCodedBytes(segment.raw.size()));
  segment.stored.resize(EncodeSegment(choice.options(), segment.raw, segment.stored, &scratch));
  FUZZ_CHECK(segment.stored[0] == 0x11, "the long segment is in planes");
  return segment;
}

// Of four bytes each: where, and what is changed there. Zeros change nothing.
Bytes Changed(const Bytes& bytes, ByteView input) {
  Bytes changed = bytes;
  for (; input.size() >= 4; input = input.subspan(4)) {
    const size_t at = (input[0] | input[1] << 8) % bytes.size();
    changed[at] ^= input[2];
    changed[(at + 1) % bytes.size()] ^= input[3];
  }
  return changed;
}

void CheckLong(const Choice& choice, ByteView input, CodecScratch* scratch) {
  const LongSegment& segment = LongSegmentOf(choice);
  const Bytes stored = Changed(segment.stored, input);
  Bytes raw(segment.raw.size());
  const bool decodes = Decodes(choice.options().coding, stored, raw, scratch);
  if (stored == segment.stored) FUZZ_CHECK(decodes && raw == segment.raw, "what was encoded comes back");
  CheckRoundTrip(choice.options(), Changed(segment.raw, input), scratch);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Choice choice(data[0]);
  const ByteView input(data + 2, std::min(size, kMaxInputBytes) - 2);
  CodecScratch* const scratch = ScratchOf(choice, input);
  if (choice.is_long()) {
    CheckLong(choice, input, scratch);
  } else {
    CheckShort(choice, data[1], input, scratch);
  }
  return 0;
}
