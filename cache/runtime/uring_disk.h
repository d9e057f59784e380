// The real Disk: a preallocated file or a raw block device, opened O_DIRECT, driven by the shard's io_uring.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cache/runtime/uring_loop.h"
#include "cache/seams/disk.h"

namespace incipit {

struct UringDiskOptions {
  std::string path;          // a file (created if missing) or a block device
  uint64_t bytes = 0;        // file: size to preallocate. Device: length of the range, 0 = all after start_bytes
  uint64_t start_bytes = 0;  // where this disk begins: shards of a node share one device by ranges
  bool preallocate = true;   // false: a sparse file, which may run out of space later (tests)
  // How long to wait for a process that is ending: the kernel lets go of a killed one's ring, and so of its files, a
  // little after the process itself.
  uint32_t lock_wait_ms = 3000;
};

// Owner: the shard; the loop must outlive it and all its tasks. Thread: the loop's. Buffers registered with the loop
// use fixed operations, others plain ones. Cost: one submission per operation, one more per short transfer.
class UringDisk : public Disk {
 public:
  // Blocks while the file is created and one page is read, and for lock_wait_ms where the range is in use: for start-up
  // only.
  // FailedPrecondition: O_DIRECT refused (names path, file system and setting), or another process uses the range.
  // ResourceExhausted: not enough space (needed and free bytes). InvalidArgument, NotFound, PermissionDenied: the path.
  static absl::StatusOr<std::unique_ptr<UringDisk>> Open(UringLoop* loop, const UringDiskOptions& options);
  ~UringDisk() override;

  uint64_t CapacityBytes() const override { return capacity_bytes_; }
  Task<absl::Status> Read(uint64_t offset, MutableBytes into) override;
  Task<absl::Status> Write(uint64_t offset, ByteView from) override;
  Task<absl::Status> Flush() override;

 private:
  UringDisk(UringLoop* loop, const UringDiskOptions& options) : loop_(loop), options_(options) {}
  absl::Status OpenPath();
  absl::Status SizeDevice();
  absl::Status SizeFile(uint64_t present_bytes);
  int SetLock(int16_t type);
  absl::Status LockRange();
  absl::Status TryDirectRead();
  absl::Status RefusedDirect(int error, const char* operation) const;
  absl::Status CheckRange(const char* operation, uint64_t offset, uint64_t bytes) const;
  absl::Status Failed(const char* operation, uint64_t offset, uint64_t bytes, int error) const;

  UringLoop* loop_;
  UringDiskOptions options_;
  int fd_ = -1;
  uint64_t capacity_bytes_ = 0;
};

}  // namespace incipit
