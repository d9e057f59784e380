#include "cache/nvme/region_table.h"

#include <algorithm>

#include "cache/format/region.h"

namespace incipit {

RegionTable::RegionTable(Loop* loop, uint32_t region_count, uint64_t region_bytes)
    : regions_(region_count), region_bytes_(region_bytes), changed_(loop) {
  state_counts_[static_cast<size_t>(RegionState::kUnknown)] = region_count;
}

bool RegionTable::Counts(const RegionInfo& info) const {
  return info.state == RegionState::kOpen || info.state == RegionState::kSealing ||
         info.state == RegionState::kSealed || info.state == RegionState::kReclaiming;
}

bool RegionTable::Readable(uint32_t region) const { return Holds(region) && Counts(regions_[region]); }

void RegionTable::SetState(uint32_t region, RegionState state) {
  RegionInfo& info = regions_[region];
  --state_counts_[static_cast<size_t>(info.state)];
  ++state_counts_[static_cast<size_t>(state)];
  info.state = state;
  changed_.NotifyAll();
}

void RegionTable::Abandon(uint32_t region) {
  RegionInfo& info = regions_[region];
  live_bytes_ -= info.live_bytes;
  spare_bytes_ -= info.spare_bytes;
  tombstone_bytes_ -= info.tombstone_bytes;
  info.live_bytes = info.spare_bytes = info.tombstone_bytes = 0;
  info.has_toc = false;
  SetState(region, RegionState::kUnclean);
}

void RegionTable::Free(uint32_t region, uint64_t stamped_generation) {
  RegionInfo& info = regions_[region];
  info.stamped = stamped_generation != 0;
  info.generation = stamped_generation;
  info.has_toc = false;
  free_.push_back(region);
  SetState(region, RegionState::kFree);
}

uint32_t RegionTable::TakeFree() {
  const uint32_t region = free_.front();
  free_.pop_front();
  SetState(region, RegionState::kOpen);
  return region;
}

void RegionTable::AddLive(uint32_t region, uint64_t record_bytes) {
  const uint64_t bytes = AlignUp(record_bytes, kRecordAlign);
  regions_[region].live_bytes += bytes;
  live_bytes_ += bytes;
}

void RegionTable::AddTombstone(uint32_t region, uint64_t record_bytes) {
  const uint64_t bytes = AlignUp(record_bytes, kRecordAlign);
  regions_[region].tombstone_bytes += bytes;
  tombstone_bytes_ += bytes;
}

void RegionTable::Release(uint32_t region, uint64_t record_bytes) {
  if (!Readable(region)) return;
  RegionInfo& info = regions_[region];
  const uint64_t bytes = std::min(AlignUp(record_bytes, kRecordAlign), info.live_bytes);
  info.live_bytes -= bytes;
  live_bytes_ -= bytes;
  // A spare record is released as such (SetSpare(false) first); what is left over here is a caller's mistake.
  if (info.spare_bytes > info.live_bytes) {
    spare_bytes_ -= info.spare_bytes - info.live_bytes;
    info.spare_bytes = info.live_bytes;
  }
  changed_.NotifyAll();
}

void RegionTable::SetSpare(uint32_t region, uint64_t record_bytes, bool spare) {
  if (!Readable(region)) return;
  RegionInfo& info = regions_[region];
  uint64_t bytes = AlignUp(record_bytes, kRecordAlign);
  if (spare) {
    bytes = std::min(bytes, info.live_bytes - info.spare_bytes);
    info.spare_bytes += bytes;
    spare_bytes_ += bytes;
    changed_.NotifyAll();
  } else {
    bytes = std::min(bytes, info.spare_bytes);
    info.spare_bytes -= bytes;
    spare_bytes_ -= bytes;
  }
}

uint32_t RegionTable::OldestInUse() const {
  uint32_t oldest = count();
  for (uint32_t i = 0; i < regions_.size(); ++i) {
    if (regions_[i].state == RegionState::kFree) continue;
    if (oldest == count() || regions_[i].generation < regions_[oldest].generation) oldest = i;
  }
  return oldest;
}

uint64_t RegionTable::BytesToMove(uint32_t region, uint32_t oldest) const {
  const RegionInfo& info = regions_[region];
  return info.ValuedBytes() + (region == oldest ? 0 : info.tombstone_bytes);
}

uint64_t RegionTable::BytesToMove(uint32_t region) const { return BytesToMove(region, OldestInUse()); }

std::optional<uint32_t> RegionTable::PickVictim(uint64_t limit_bytes) const {
  const uint32_t oldest = OldestInUse();
  std::optional<uint32_t> best;
  uint64_t best_bytes = 0;
  for (uint32_t i = 0; i < regions_.size(); ++i) {
    if (regions_[i].state != RegionState::kSealed) continue;
    const uint64_t bytes = BytesToMove(i, oldest);
    if (bytes > limit_bytes) continue;
    if (best.has_value() && bytes > best_bytes) continue;
    if (best.has_value() && bytes == best_bytes && regions_[i].generation > regions_[*best].generation) continue;
    best = i;
    best_bytes = bytes;
  }
  return best;
}

std::optional<uint32_t> RegionTable::PickOldest() const {
  const uint32_t oldest = OldestInUse();
  if (oldest == count() || regions_[oldest].state != RegionState::kSealed) return std::nullopt;
  if (tombstone_bytes_ == regions_[oldest].tombstone_bytes) return std::nullopt;
  return oldest;
}

std::optional<uint32_t> RegionTable::PickUnclean() const {
  if (CountOf(RegionState::kUnclean) == 0) return std::nullopt;
  for (uint32_t i = 0; i < regions_.size(); ++i) {
    if (regions_[i].state == RegionState::kUnclean && regions_[i].pins == 0) return i;
  }
  return std::nullopt;
}

bool RegionTable::OlderExists(uint32_t region, uint64_t generation) const {
  for (uint32_t i = 0; i < regions_.size(); ++i) {
    const RegionState state = regions_[i].state;
    if (i == region || state == RegionState::kFree) continue;
    if (regions_[i].generation < generation) return true;
  }
  return false;
}

RegionPin::~RegionPin() {
  if (table_ == nullptr) return;
  if (--table_->regions_[region_].pins == 0) table_->changed_.NotifyAll();
}

}  // namespace incipit
