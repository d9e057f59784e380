// Page-aligned memory for direct I/O, mapped on its own so that it can be registered with io_uring.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <utility>

#include "cache/base/bytes.h"
#include "cache/format/region.h"

namespace incipit {

// Owns the memory; move-only. Zeroed at first. Aborts if the machine has no memory: sizes are bounded by options.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(uint64_t bytes) : bytes_(AlignUp(bytes, kDiskPageBytes)) {
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    if (bytes_ >= 2 * kMiB) madvise(memory, bytes_, MADV_HUGEPAGE);
    data_ = static_cast<uint8_t*>(memory);
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~AlignedBuffer() {
    if (data_ != nullptr) munmap(data_, bytes_);
  }

  MutableBytes bytes() const { return {data_, bytes_}; }

 private:
  uint8_t* data_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace incipit
