// The lossy codec fp8: rows of 576 bf16 become FlashMLA's rows of 656 bytes (cache/codec/fp8_lossless.h), and rows of
// bf16 again. Rounds to nearest even; each 128 of the first 512 values share a scale, a float32 of largest magnitude /
// 448; the last 64 stay as they are. NaN stays NaN, infinities become the largest value. Pure, thread safe, no
// allocation; one thread makes some hundred MB/s: it is for engines that would quantise anyway.
#pragma once

#include "cache/base/bytes.h"

namespace incipit::codec_internal {

inline constexpr size_t kBf16RowBytes = 1152;

// REQUIRES: raw has whole rows of kBf16RowBytes, rows as many of kFp8RowBytes.
void QuantizeRows(ByteView raw, MutableBytes rows);
void DequantizeRows(ByteView rows, MutableBytes raw);

}  // namespace incipit::codec_internal
