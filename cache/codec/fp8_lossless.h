// Planes of FlashMLA's 656-byte rows: the body of a segment coded as fp8-lossless, behind its header. Internal to
// cache/codec/.
#pragma once

#include "absl/status/status.h"
#include "cache/codec/scratch.h"

namespace incipit::codec_internal {

inline constexpr size_t kFp8RowValues = 512;  // e4m3
inline constexpr size_t kFp8ScaleBytes = 16;  // 4 float32, one for 128 values each
inline constexpr size_t kFp8RopeValues = 64;  // bf16
inline constexpr size_t kFp8ScalesAt = kFp8RowValues;
inline constexpr size_t kFp8RopeAt = kFp8ScalesAt + kFp8ScaleBytes;
inline constexpr size_t kFp8RowBytes = kFp8RopeAt + 2 * kFp8RopeValues;
static_assert(kFp8RowBytes == 656);

// Returns bytes written to `out`; 0: they do not fit. REQUIRES: raw holds whole rows.
size_t EncodeFp8(CodecLevel level, ByteView raw, MutableBytes out, CodecScratch::Parts* scratch);
absl::Status DecodeFp8(ByteView in, MutableBytes raw, CodecScratch::Parts* scratch);

}  // namespace incipit::codec_internal
