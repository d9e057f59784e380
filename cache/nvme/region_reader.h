// Reads parts of regions into read slots, in parallel, with a deadline that never frees memory in use.
#pragma once

#include <sys/uio.h>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/nvme/device.h"
#include "cache/nvme/region_table.h"
#include "cache/nvme/slot_pool.h"

namespace incipit {

// A run of whole pages of one region, [start, end) from the region's start.
struct ReadWindow {
  uint64_t start = 0;
  uint64_t end = 0;
};

// Windows read into slots. Holds the slots until the last reference goes: the caller's, or that of a late operation.
class WindowRead {
 public:
  WindowRead(SlotPool* pool, RegionTable* table, uint32_t region) : pool_(pool), pin_(table, region) {}
  ~WindowRead() {
    if (!slots_.empty()) pool_->Release(slots_);
  }
  // Appends the pieces that hold bytes [from, from + bytes) of the region. REQUIRES: within one window.
  void Slice(uint64_t from, uint64_t bytes, std::vector<iovec>* out) const;

 private:
  friend class RegionReader;
  SlotPool* pool_;
  RegionPin pin_;
  std::array<ReadWindow, 2> windows_{};
  std::array<uint32_t, 2> first_slot_{};  // index in slots_
  std::vector<uint32_t> slots_;
  std::vector<DeviceOpRef> ops_;
};

// Owner: the tier. One thread.
class RegionReader {
 public:
  RegionReader(Loop* loop, Device* device, RegionTable* table, SlotPool* pool, int64_t slot_wait_ns)
      : loop_(loop), device_(device), table_(table), pool_(pool), slot_wait_ns_(slot_wait_ns) {}

  // `second` may be empty. ResourceExhausted: no slots in time. DeadlineExceeded: the device was slower than
  // `deadline_ns` or its timeout. Unavailable: it failed. REQUIRES: the windows fit the slots.
  Task<absl::StatusOr<std::shared_ptr<WindowRead>>> Read(uint32_t region, ReadWindow first, ReadWindow second,
                                                         int64_t deadline_ns);

 private:
  void Start(const std::shared_ptr<WindowRead>& read, uint32_t region);
  Loop* loop_;
  Device* device_;
  RegionTable* table_;
  SlotPool* pool_;
  int64_t slot_wait_ns_;
};

}  // namespace incipit
