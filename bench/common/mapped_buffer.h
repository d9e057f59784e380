// A large piece of memory for payload: page aligned, in huge pages where the kernel gives them, faulted in at once, so
// that no measurement pays for its first use.
#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "incipit/shared_region.h"

namespace incipit::bench {

// Move-only.
class MappedBuffer {
 public:
  MappedBuffer() = default;
  // ResourceExhausted: the machine has not that much memory.
  static absl::StatusOr<MappedBuffer> Create(uint64_t bytes);
  // The same in a SharedRegion, which a node on this host can write to.
  static absl::StatusOr<MappedBuffer> CreateShared(uint64_t bytes);
  MappedBuffer(MappedBuffer&& other) noexcept
      : bytes_(std::exchange(other.bytes_, MutableBytes())), shared_(std::move(other.shared_)) {}
  MappedBuffer& operator=(MappedBuffer&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~MappedBuffer();
  MutableBytes bytes() const { return bytes_; }

 private:
  MutableBytes bytes_;
  std::unique_ptr<SharedRegion> shared_;  // owns them if it is there
};

}  // namespace incipit::bench
