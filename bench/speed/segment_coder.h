// What `bench --op codec` compares: our codecs, and public ones as anybody would use them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit::bench {

// One thread.
class SegmentCoder {
 public:
  virtual ~SegmentCoder() = default;
  virtual size_t MaxStoredBytes(size_t raw_bytes) const = 0;
  // REQUIRES: stored.size() >= MaxStoredBytes(raw.size()). Gives the length; 0 = failed.
  virtual size_t Encode(ByteView raw, MutableBytes stored) = 0;
  virtual bool Decode(ByteView stored, MutableBytes raw) = 0;
};

// raw, bf16-lossless, bf16-lossless-fast, fp8-lossless, fp8, and for comparison: memcpy, zstd-1, lz4 (both over the raw
// bytes), zstd-1-exponents, huffman-exponents (zstd with its search for matches all but off) over the exponents, with
// the other byte of each value kept as it is.
std::vector<std::string> SegmentCoderNames();
// With one of our kernels, or the best if `kernel` is empty. NotFound: no such name, or this processor lacks the
// kernel.
absl::StatusOr<std::unique_ptr<SegmentCoder>> MakeSegmentCoder(const std::string& name, const std::string& kernel);

}  // namespace incipit::bench
