// Finishes regions: table of contents and footer, each step durable before the next.
#pragma once

#include <cstdint>
#include <memory>

#include "cache/nvme/device.h"
#include "cache/nvme/region_log.h"
#include "cache/nvme/region_stamper.h"

namespace incipit {

// Owner: the tier. Sealing goes on beside appends to the next region.
class RegionSealer {
 public:
  RegionSealer(Loop* loop, Device* device, RegionTable* table, RegionStamper* stamper)
      : device_(device), table_(table), stamper_(stamper), scope_(loop) {}

  // Waits for the log's writes, then seals what of it is on the device: all of it, or less after a failed write. A
  // region that cannot be sealed stays readable, and counts as one without table of contents.
  void Start(std::shared_ptr<RegionLog> log);
  Event::Awaiter Join() { return scope_.Join(); }
  Event::Awaiter JoinUntil(int64_t deadline_ns) { return scope_.JoinUntil(deadline_ns); }
  size_t running() const { return scope_.running(); }

  // Share of a region's bytes that records took, over the regions filled so far.
  double fill_ratio() const { return fill_ratio_; }

 private:
  Task<void> Seal(std::shared_ptr<RegionLog> log);
  Task<absl::Status> WriteToc(RegionLog* log);

  Device* device_;
  RegionTable* table_;
  RegionStamper* stamper_;
  double fill_ratio_ = 0.98;
  TaskScope scope_;
};

}  // namespace incipit
