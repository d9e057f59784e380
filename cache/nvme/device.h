// The Disk as the tier uses it: every operation is watched for timeouts, counted, and refused while the device is
// out of service; an out-of-service device is probed until it works again.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "cache/nvme/aligned_buffer.h"
#include "cache/nvme/device_health.h"
#include "cache/runtime/sync.h"
#include "cache/seams/disk.h"
#include "cache/seams/random.h"

namespace incipit {

struct NvmeOptions;
struct NvmeStats;

// One operation. `status` holds once `done` is set. Past its timeout `done` is set with DeadlineExceeded although
// the operation goes on; what `keep` owns (the buffer) is let go only when it has really ended.
struct DeviceOp {
  explicit DeviceOp(Loop* loop) : done(loop) {}
  Event done;
  absl::Status status;
  DeviceOpKind kind = DeviceOpKind::kRead;
  uint64_t offset = 0;
  MutableBytes into;
  ByteView from;
  std::shared_ptr<const void> keep;
  int64_t started_ns = 0;
  int64_t watch_until_ns = 0;
  bool timed_out = false;
  std::list<DeviceOp*>::iterator watched;
};
using DeviceOpRef = std::shared_ptr<DeviceOp>;

// Owner: the tier. Thread: the shard's. REQUIRES at destruction: Stop() ended with true.
class Device {
 public:
  Device(Loop* loop, Disk* disk, Random* random, const NvmeOptions& options, NvmeStats* stats);

  // Start at once; wait for `done`. The buffer must live as long as `keep` does.
  DeviceOpRef StartRead(uint64_t offset, MutableBytes into, std::shared_ptr<const void> keep);
  DeviceOpRef StartWrite(uint64_t offset, ByteView from, std::shared_ptr<const void> keep);
  DeviceOpRef StartFlush();
  Task<absl::Status> Flush();

  DeviceHealth& health() { return health_; }
  // Operations past their timeout that have not ended.
  size_t late_ops() const { return late_ops_; }
  uint64_t CapacityBytes() const { return disk_->CapacityBytes(); }

  // Ends probing and waits for everything outstanding; false if something still was at `deadline_ns`.
  Task<bool> Stop(int64_t deadline_ns);

 private:
  // Operations with one timeout, in order of starting. The timer runs only while there are any.
  struct Watch : Timer {
    Watch(Device* owner, int64_t timeout) : device(owner), timeout_ns(timeout) {}
    void OnTimer() override;
    Device* device;
    int64_t timeout_ns;
    std::list<DeviceOp*> ops;
  };
  DeviceOpRef Start(DeviceOpRef op, Watch* watch);
  Task<void> Perform(DeviceOpRef op, Watch* watch);
  void End(DeviceOp* op, Watch* watch, absl::Status status);
  void StartProbing();
  Task<void> Probe();
  Task<absl::Status> ProbeOnce(MutableBytes written, MutableBytes read);

  Loop* loop_;
  Disk* disk_;
  Random* random_;
  NvmeStats* stats_;
  int64_t probe_interval_ns_;
  DeviceHealth health_;
  Watch reads_;
  Watch writes_;
  size_t late_ops_ = 0;
  bool probing_ = false;
  Event stopping_;
  TaskScope scope_;
};

}  // namespace incipit
