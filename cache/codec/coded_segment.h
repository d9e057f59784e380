// Coding of segments, each alone: docs/coded_segments.md gives the bytes, and leads to the reasons.
// Pure: no I/O, no thread of its own, no allocation but the scratch, which its caller keeps.
//
//   CodecScratch scratch;
//   std::vector<uint8_t> stored(MaxCodedBytes(raw.size()));
//   stored.resize(EncodeSegment({SegmentCoding::kBf16Lossless, 576}, raw, stored, &scratch));
//   absl::Status status = DecodeSegment(SegmentCoding::kBf16Lossless, stored, raw_again, &scratch);
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit {

// What a segment holds and how it is coded. The numbers are the codecs' ids in block records; 1 is the sealed codec.
enum class SegmentCoding : uint8_t {
  kRaw = 0,           // the same bytes
  kBf16Lossless = 2,  // 16-bit values, channel after channel, row after row
  kFp8Lossless = 3,   // rows of 656 bytes: 512 e4m3, 4 float32 scales, 64 bf16 (FlashMLA)
  kFp8 = 4,           // LOSSY: rows of 576 bf16, stored as such rows of 656 bytes (cache/codec/fp8_rows.h)
};
std::string_view SegmentCodingName(SegmentCoding coding);
// NotFound lists the names.
absl::StatusOr<SegmentCoding> SegmentCodingOf(std::string_view name);

inline constexpr uint8_t kCodedSegmentVersion = 1;
// What coding adds at most: incompressible segments are kept as they are, behind this header.
inline constexpr size_t kCodedSegmentOverheadBytes = 8;
inline constexpr uint32_t kMaxRowValues = 16384;
// Segments that would shrink by less are kept as they are.
inline constexpr double kMinCodedRatio = 1.03;

constexpr uint64_t MaxCodedBytes(uint64_t raw_bytes) { return raw_bytes + kCodedSegmentOverheadBytes; }

enum class CodecLevel : uint8_t {
  kFast,   // codes of two levels
  kDense,  // codes of three: smaller and slower; `incipit bench --op codec` says by how much
};

struct CodecOptions {
  SegmentCoding coding = SegmentCoding::kRaw;
  // Of bf16: values of one token in one layer, so that each of them can have a base of its own. A multiple of 32, at
  // most kMaxRowValues; anything else counts as not known.
  uint32_t row_values = 0;
  CodecLevel level = CodecLevel::kDense;
};

// Memory for coding and decoding, about 160 KiB, made once. One thread at a time.
class CodecScratch {
 public:
  CodecScratch();
  // With the named kernel instead of the processor's best: avx512, avx2 or portable. NotFound: none of that name, or
  // this processor cannot run it.
  static absl::StatusOr<CodecScratch> WithKernel(std::string_view name);
  CodecScratch(CodecScratch&&) noexcept;
  CodecScratch& operator=(CodecScratch&&) noexcept;
  ~CodecScratch();

  struct Parts;
  Parts& parts() { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
};

// Name of the kernel that CodecScratch() takes on this processor.
const char* CodecKernel();

// Codes `raw` into `stored` and gives the length, at most MaxCodedBytes(raw.size()). Takes any bytes: what does not
// look like the values it should hold, or not like enough of them, is kept as it is. One pass over the bytes, and
// before it a look at a sample, at most half. REQUIRES: stored.size() >= MaxCodedBytes(raw.size()); raw and stored do
// not overlap; raw.size() < 4 GiB.
size_t EncodeSegment(const CodecOptions& options, ByteView raw, MutableBytes stored, CodecScratch* scratch);

// Fills `raw` from untrusted stored bytes. DataLoss: they are not a segment of raw.size() bytes under this coding;
// `raw` then holds arbitrary bytes. FailedPrecondition: coded by a version that this build does not know. Bytes that
// were damaged within what they may be decode to other values: a checksum of the stored bytes must have been verified
// before.
absl::Status DecodeSegment(SegmentCoding coding, ByteView stored, MutableBytes raw, CodecScratch* scratch);

}  // namespace incipit
