// Planes of bf16: the body of a segment coded as bf16-lossless, behind its header. Internal to cache/codec/.
#pragma once

#include "absl/status/status.h"
#include "cache/codec/scratch.h"

namespace incipit::codec_internal {

// Returns bytes written to `out`; 0: they do not fit.
size_t EncodeBf16(const CodecOptions& options, ByteView raw, MutableBytes out, uint32_t* channels,
                  CodecScratch::Parts* scratch);
absl::Status DecodeBf16(uint32_t channels, ByteView in, MutableBytes raw, CodecScratch::Parts* scratch);

}  // namespace incipit::codec_internal
