// The parts of an NvmeTier and how they are wired. Internal to cache/nvme.
#pragma once

#include <cstdint>

#include "cache/nvme/device.h"
#include "cache/nvme/nvme_tier.h"
#include "cache/nvme/reclaimer.h"
#include "cache/nvme/recovery.h"
#include "cache/nvme/region_reader.h"
#include "cache/nvme/region_sealer.h"
#include "cache/nvme/region_stamper.h"
#include "cache/nvme/region_table.h"
#include "cache/nvme/region_writer.h"
#include "cache/nvme/slot_pool.h"
#include "cache/nvme/store_superblock.h"

namespace incipit {

struct NvmeTier::Impl {
  // `device_part` was made before the store was opened and writes its counters to `stats_part`.
  Impl(Loop* event_loop, Random* random, Host* owner, const NvmeOptions& settings,
       std::unique_ptr<NvmeStats> stats_part, std::unique_ptr<Device> device_part, const OpenedStore& store);

  absl::Status CheckAppend(const TocEntry& entry, std::span<const iovec> pieces) const;
  absl::Status CheckRead(DiskLocation at, uint32_t header_bytes, uint64_t offset, uint64_t length) const;
  uint64_t MaxRecordBytes() const;
  Task<void> CloseAll();

  Loop* loop;
  Host* host;
  NvmeOptions options;
  std::unique_ptr<NvmeStats> stats;
  std::unique_ptr<Device> device;
  RegionTable table;
  SlotPool slots;
  RegionStamper stamper;
  RegionSealer sealer;
  RegionWriter writer;
  RegionReader reader;
  Reclaimer reclaimer;
  Recovery recovery;
  bool created;          // the store is new: there is nothing to recover
  Event can_open;        // recovery knows which regions are free
  Event recovered;       // recovery has ended
  absl::Status refusal;  // why recovery failed, if it did
  bool recovering = false;
  bool closing = false;
  uint32_t calls = 0;  // public tasks under way
  Condition calls_changed;
  TaskScope scope;
};

// Counts a public task while it runs, so that Shutdown can wait for it.
class CallGuard {
 public:
  CallGuard(uint32_t* calls, Condition* changed) : calls_(calls), changed_(changed) { ++*calls_; }
  CallGuard(const CallGuard&) = delete;
  ~CallGuard() {
    if (--*calls_ == 0) changed_->NotifyAll();
  }

 private:
  uint32_t* calls_;
  Condition* changed_;
};

}  // namespace incipit
