// Reads a region that has no table of contents record by record, and says what of it is whole.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cache/format/region.h"
#include "cache/nvme/device.h"
#include "cache/nvme/pinned_buffer.h"

namespace incipit {

struct ScanResult {
  std::vector<TocEntry> entries;  // whole records: header and payload checksums verified
  uint64_t end = kDiskPageBytes;  // where the last of them ends, padded to kRecordAlign
  bool damaged = false;           // ended at a record of this life of the region that is not whole
  absl::Status status;            // not ok: ended because the device could not be read
};

// One scan of one region. Stops at the first thing that is not a whole record of `generation`: what lies behind it
// may be of an earlier life, or of a write that was never acknowledged. Memory: one window.
class RegionScanner {
 public:
  static constexpr uint64_t kWindowBytes = 4 << 20;

  RegionScanner(Device* device, RegionTable* table, uint32_t region, uint64_t generation);
  Task<void> Run(ScanResult* result);

 private:
  // Loads a window from `offset` on, unless bytes [offset, offset + bytes) are in the one at hand, or as many of them
  // as the region has.
  bool InWindow(uint64_t offset, uint64_t bytes) const;
  ByteView Window(uint64_t offset, uint64_t most) const;
  Task<absl::Status> Fill(uint64_t offset);
  // The record header at `offset_`, if it is one of this life and the record fits the region.
  absl::StatusOr<RecordHeader> DecodeHere() const;

  Device* device_;
  uint64_t region_start_;
  uint64_t records_end_;  // the footer's page begins here
  uint64_t generation_;
  std::shared_ptr<PinnedBuffer> buffer_;
  uint64_t window_start_ = 0;
  uint64_t window_end_ = 0;
  uint64_t offset_ = kDiskPageBytes;
};

}  // namespace incipit
