// A client's memory as the shard maps it: checked once, when it is taken, so that no access can fault afterwards.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "transport/owned_fd.h"

namespace incipit {

// Shared by whatever still copies; unmapped with the last of them. One thread. The bytes belong to the client, who may
// change them at any time: never read one twice and believe that it is the same.
class MappedRegion {
 public:
  // `memory` must be a memfd of exactly `bytes` that can never shrink: plain pages (memfd_create, not MFD_HUGETLB,
  // whose pages can be taken away again so that the next access ends the process), sealed with F_SEAL_SHRINK, and
  // writable. InvalidArgument names what it is not. ResourceExhausted: the kernel cannot map it.
  static absl::StatusOr<std::shared_ptr<MappedRegion>> Map(const OwnedFd& memory, uint64_t bytes);
  ~MappedRegion();
  MappedRegion(const MappedRegion&) = delete;
  MappedRegion& operator=(const MappedRegion&) = delete;

  uint8_t* base() const { return base_; }
  uint64_t bytes() const { return bytes_; }
  bool Holds(uint64_t offset, uint64_t length) const { return offset <= bytes_ && length <= bytes_ - offset; }

 private:
  MappedRegion(uint8_t* base, uint64_t bytes) : base_(base), bytes_(bytes) {}
  uint8_t* base_;
  uint64_t bytes_;
};

}  // namespace incipit
