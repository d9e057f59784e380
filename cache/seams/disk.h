// Seam 3 of 5. A block device as the NVMe tier sees it.
// Real: UringDisk (file or raw device, O_DIRECT). In memory: MemDisk. Faulty: FaultyDisk around either.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "cache/base/bytes.h"
#include "cache/runtime/task.h"

namespace incipit {

// One thread only. Offsets, lengths and buffer addresses are multiples of kDiskPageBytes (4096).
// Many operations may be outstanding at once; they finish in any order. A buffer must stay valid until its
// operation's task has ended, which may be long after the caller lost interest: keep it, never free it early.
// Errors: Unavailable (the device failed: EIO), ResourceExhausted (no space), OutOfRange (beyond capacity).
class Disk {
 public:
  virtual ~Disk() = default;
  virtual uint64_t CapacityBytes() const = 0;
  virtual Task<absl::Status> Read(uint64_t offset, MutableBytes into) = 0;
  virtual Task<absl::Status> Write(uint64_t offset, ByteView from) = 0;
  // All writes that ended before this call survive a loss of power once it has ended well.
  virtual Task<absl::Status> Flush() = 0;
};

}  // namespace incipit
