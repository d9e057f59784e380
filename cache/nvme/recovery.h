// Start-up: finds out what each region holds and tells the host. Reads tables of contents; only regions without one
// are read record by record.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/nvme/nvme_tier.h"
#include "cache/nvme/region_scanner.h"
#include "cache/nvme/region_sealer.h"
#include "cache/nvme/region_stamper.h"
#include "cache/nvme/region_writer.h"

namespace incipit {

// Owner: the tier; runs once. A device that goes out of service in the middle makes it wait, not forget regions.
class Recovery {
 public:
  Recovery(Loop* loop, Device* device, RegionTable* table, RegionStamper* stamper, RegionSealer* sealer,
           RegionWriter* writer, NvmeTier::Host* host, Random* random, const NvmeOptions& options, NvmeStats* stats);

  // A store made just now: all regions are free.
  void StartBlank();
  // Pass 1: headers and footers, in parallel. Afterwards regions can be opened. FailedPrecondition: a region of an
  // unknown version; nothing is written then.
  Task<absl::Status> LookAtRegions();
  // Passes 2 and 3: tables of contents, in parallel, reported oldest region first, so that of two copies the host
  // keeps the one that reclaim had not finished moving; then the records of regions without one.
  Task<absl::Status> ReadRecords();
  void Stop();

 private:
  enum class Kind : uint8_t { kBlank, kForeign, kDamaged, kSealed, kUnsealed };
  struct Found {
    Kind kind = Kind::kBlank;
    uint64_t generation = 0;
    RegionFooter footer;  // kSealed
  };

  Task<void> LookWorker();
  Task<void> LookAt(uint32_t region);
  Task<absl::Status> ReadPage(uint32_t region, uint64_t offset, std::vector<uint8_t>* page);
  void Settle(uint32_t region);
  Task<void> TocWorker();
  Task<void> Scan(uint32_t region);
  void Report(uint32_t region, const std::vector<TocEntry>& entries);
  // False: stopping.
  Task<bool> WaitUntilServing();
  // After a failed read: is it this one place that cannot be read, rather than the device that fails? Only after as
  // many tries as would have taken a failing device out of service: a region must not be given up for its sake.
  bool GiveUp(uint32_t tries) const { return device_->health().serving() && tries > tries_; }

  Loop* loop_;
  Device* device_;
  RegionTable* table_;
  RegionStamper* stamper_;
  RegionSealer* sealer_;
  RegionWriter* writer_;
  NvmeTier::Host* host_;
  Random* random_;
  uint32_t depth_;
  uint32_t tries_;
  NvmeStats* stats_;
  std::vector<Found> found_;
  std::vector<uint32_t> sealed_;    // by generation
  std::vector<uint32_t> unsealed_;  // by generation
  size_t next_ = 0;                 // for the workers: what to take up next
  size_t turn_ = 0;                 // index in sealed_ of the region to report next
  Condition turn_changed_;
  uint64_t max_sequence_ = 0;
  bool stopping_ = false;
  absl::Status refusal_;
};

}  // namespace incipit
