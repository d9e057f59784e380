// What the tier knows of each region: its state, its life (generation), how much of it is still worth keeping.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "cache/nvme/condition.h"

namespace incipit {

enum class RegionState : uint8_t {
  kUnknown = 0,     // not yet looked at by recovery
  kFree = 1,        // may be opened
  kOpen = 2,        // records are being added
  kSealing = 3,     // no more are added; its table of contents is on the way
  kSealed = 4,      // finished
  kReclaiming = 5,  // its valued records are being moved
  kUnclean = 6,     // nothing in it is wanted; a new generation must be stamped on it before it is free
};

struct RegionInfo {
  RegionState state = RegionState::kUnknown;
  bool has_toc = false;  // its table of contents can be read back; else its records must be scanned
  bool stamped = false;  // kFree: `generation` is on the device already and no record carries it
  uint32_t pins = 0;     // operations that read or write it now
  uint64_t generation = 0;
  uint64_t live_bytes = 0;   // records that the host has not released
  uint64_t spare_bytes = 0;  // of these, records that are in RAM too
  uint64_t tombstone_bytes = 0;
  uint64_t ValuedBytes() const { return live_bytes - spare_bytes; }
};

// Bytes are counted as they lie on the device, in multiples of kRecordAlign. One thread. 56 bytes per region.
class RegionTable {
 public:
  RegionTable(Loop* loop, uint32_t region_count, uint64_t region_bytes);

  uint32_t count() const { return static_cast<uint32_t>(regions_.size()); }
  uint64_t region_bytes() const { return region_bytes_; }
  const RegionInfo& At(uint32_t region) const { return regions_[region]; }
  bool Holds(uint32_t region) const { return region < regions_.size(); }
  // Records of it may be read.
  bool Readable(uint32_t region) const;
  void SetGeneration(uint32_t region, uint64_t generation) { regions_[region].generation = generation; }
  void SetHasToc(uint32_t region, bool has_toc) { regions_[region].has_toc = has_toc; }
  void SetState(uint32_t region, RegionState state);
  // Nothing in it counts any more: kUnclean, with its counters at zero.
  void Abandon(uint32_t region);
  // kFree. `stamped_generation` is on the device, 0 if none is.
  void Free(uint32_t region, uint64_t stamped_generation);
  // The region freed longest ago, now kOpen. REQUIRES: free_count() > 0.
  uint32_t TakeFree();
  uint32_t free_count() const { return static_cast<uint32_t>(free_.size()); }
  uint32_t CountOf(RegionState state) const { return state_counts_[static_cast<size_t>(state)]; }

  // Accounting of one record. A location that is not in use is ignored, a surplus is cut off: a caller's mistake
  // must not make a region look full, or emptier than empty.
  void AddLive(uint32_t region, uint64_t record_bytes);
  void Release(uint32_t region, uint64_t record_bytes);
  void SetSpare(uint32_t region, uint64_t record_bytes, bool spare);
  void AddTombstone(uint32_t region, uint64_t record_bytes);
  uint64_t live_bytes() const { return live_bytes_; }
  uint64_t spare_bytes() const { return spare_bytes_; }
  uint64_t tombstone_bytes() const { return tombstone_bytes_; }

  // What emptying a region takes elsewhere: its valued records, and its tombstones unless it is the oldest region.
  uint64_t BytesToMove(uint32_t region) const;
  // The sealed, finished region with the least bytes to move, at most `limit_bytes`; of equal ones the oldest.
  std::optional<uint32_t> PickVictim(uint64_t limit_bytes) const;
  // The oldest region in use, if it is sealed and a younger one holds tombstones: these can go once no older one is
  // left.
  std::optional<uint32_t> PickOldest() const;
  // A region to stamp: kUnclean and not in use.
  std::optional<uint32_t> PickUnclean() const;
  // Could a region other than `region` hold records written before `generation` was opened?
  bool OlderExists(uint32_t region, uint64_t generation) const;

  // Notified when a state changes, a pin goes, or bytes are released.
  Condition& changed() { return changed_; }

 private:
  friend class RegionPin;
  bool Counts(const RegionInfo& info) const;
  // Of all regions that may hold records; count() if there is none.
  uint32_t OldestInUse() const;
  uint64_t BytesToMove(uint32_t region, uint32_t oldest) const;
  std::vector<RegionInfo> regions_;
  std::deque<uint32_t> free_;
  uint32_t state_counts_[7] = {};
  uint64_t region_bytes_;
  uint64_t live_bytes_ = 0;
  uint64_t spare_bytes_ = 0;
  uint64_t tombstone_bytes_ = 0;
  Condition changed_;
};

// Keeps a region from being given a new life while an operation on it is outstanding. Move-only.
class RegionPin {
 public:
  RegionPin() = default;
  RegionPin(RegionTable* table, uint32_t region) : table_(table), region_(region) { ++table->regions_[region].pins; }
  RegionPin(RegionPin&& other) noexcept : table_(std::exchange(other.table_, nullptr)), region_(other.region_) {}
  RegionPin& operator=(RegionPin&& other) noexcept {
    std::swap(table_, other.table_);
    std::swap(region_, other.region_);
    return *this;
  }
  ~RegionPin();

 private:
  RegionTable* table_ = nullptr;
  uint32_t region_ = 0;
};

}  // namespace incipit
