// A large piece of memory for payload: page aligned, in huge pages where the kernel gives them, faulted in at once, so
// that no measurement pays for its first use.
#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit::bench {

// Move-only.
class MappedBuffer {
 public:
  MappedBuffer() = default;
  // ResourceExhausted: the machine has not that much memory.
  static absl::StatusOr<MappedBuffer> Create(uint64_t bytes);
  MappedBuffer(MappedBuffer&& other) noexcept : bytes_(std::exchange(other.bytes_, MutableBytes())) {}
  MappedBuffer& operator=(MappedBuffer&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedBuffer();
  MutableBytes bytes() const { return bytes_; }

 private:
  MutableBytes bytes_;
};

}  // namespace incipit::bench
