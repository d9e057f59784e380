// Which codec a client stores with, by name, and what that means for the groups of its layout.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/codec/coded_segment.h"
#include "cache/format/layout.h"
#include "cache/format/record.h"

namespace incipit {

// "" or "raw": none. "bf16-lossless", "bf16-lossless-fast", "fp8-lossless", "fp8". InvalidArgument lists them.
absl::StatusOr<CodecOptions> ParseCodec(std::string_view name);

// Whether segments of the group hold rows of the kind that the codec is for: bf16-lossless takes rows of a multiple of
// 32 values of 16 bits, fp8-lossless of 656 bytes, fp8 of 1,152, these two in whole rows a segment. Nobody says that
// the values are such: what does not shrink is kept as it is.
bool CodesGroup(const CodecOptions& options, const GroupSpec& group);
// For segments of the group: none if CodesGroup() is false.
CodecOptions OptionsOfGroup(const CodecOptions& options, const GroupSpec& group);

// InvalidArgument: no such name, or no group of the layout has such rows; it says what they have. REQUIRES: the layout
// is valid.
absl::Status CheckCodec(std::string_view name, const Layout& layout);

// What is lossy lives in a namespace of its own, so that nobody gets it who did not ask for it: the same layout under a
// name that says so. Layouts under other codecs stay as they are.
Layout CodedLayout(const Layout& layout, const CodecOptions& options);

constexpr Codec CodecOf(SegmentCoding coding) { return static_cast<Codec>(coding); }
static_assert(CodecOf(SegmentCoding::kRaw) == Codec::kRaw &&
              CodecOf(SegmentCoding::kBf16Lossless) == Codec::kBf16Lossless &&
              CodecOf(SegmentCoding::kFp8Lossless) == Codec::kFp8Lossless &&
              CodecOf(SegmentCoding::kFp8) == Codec::kFp8);
static_assert(kCodedOverheadBytes == kCodedSegmentOverheadBytes);

}  // namespace incipit
