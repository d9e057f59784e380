// A Disk in memory, for tests and simulation: completes through the loop, forgets unflushed writes in a crash.
#pragma once

#include <memory>

#include "cache/runtime/loop.h"
#include "cache/seams/disk.h"
#include "cache/seams/mem_disk_contents.h"

namespace incipit {

struct MemDiskOptions {
  int64_t latency_ns = 0;  // of every operation; 0: the next round of the loop
  int64_t jitter_ns = 0;   // up to this much more, drawn from `seed`: operations then end in any order
  uint64_t seed = 1;
};

// Owner: the test; `loop` must outlive it, and every operation's task must have ended before it is destroyed.
class MemDisk : public Disk {
 public:
  MemDisk(Loop* loop, std::shared_ptr<MemDiskContents> contents, const MemDiskOptions& options = {});

  uint64_t CapacityBytes() const override { return contents_->capacity_bytes(); }
  Task<absl::Status> Read(uint64_t offset, MutableBytes into) override;
  Task<absl::Status> Write(uint64_t offset, ByteView from) override;
  Task<absl::Status> Flush() override;

  // Loss of power: what is not flushed is lost, torn or kept; operations in flight end with Unavailable, and so does
  // every later one. Go on with a new MemDisk on the same contents.
  void Crash(Random* random);
  const std::shared_ptr<MemDiskContents>& contents() const { return contents_; }

 private:
  Task<void> Wait();
  absl::Status Check(const char* operation, uint64_t offset, ByteView buffer) const;

  Loop* loop_;
  std::shared_ptr<MemDiskContents> contents_;
  MemDiskOptions options_;
  std::unique_ptr<Random> random_;
  bool crashed_ = false;
};

}  // namespace incipit
