// A Host that keeps an index as a shard does, with none of its other business.
#pragma once

#include <map>
#include <set>

#include "cache/nvme/nvme_tier.h"
#include "tests/cache/nvme/test_record.h"

namespace incipit::testing {

class ModelHost : public NvmeTier::Host {
 public:
  struct Block {
    DiskLocation at;
    uint32_t header_bytes = 0;
    uint64_t payload_bytes = 0;
    uint64_t sequence = 0;
    bool spare = false;
    uint64_t record_bytes() const { return header_bytes + payload_bytes; }
  };

  void set_tier(NvmeTier* tier) { tier_ = tier; }
  void Insert(uint64_t n, const TestRecord& record, DiskLocation at) {
    Forget(n);
    index[n] = {at, record.entry.header_bytes, record.entry.stored_bytes, 0, false};
  }
  void Forget(uint64_t n) {
    auto found = index.find(n);
    if (found == index.end()) return;
    if (found->second.spare) tier_->SetSpare(found->second.at, found->second.record_bytes(), false);
    tier_->Release(found->second.at, found->second.record_bytes());
    index.erase(found);
  }
  void SetSpare(uint64_t n, bool spare) {
    Block& block = index.at(n);
    if (block.spare == spare) return;
    block.spare = spare;
    tier_->SetSpare(block.at, block.record_bytes(), spare);
  }

  void OnRecovered(const TocEntry& entry, DiskLocation at) override {
    const uint64_t n = NumberOfIdentity(entry.identity);
    if (entry.kind == RecordKind::kTombstone) {
      uint64_t& newest = tombstones[n];
      newest = std::max(newest, entry.sequence);
      auto found = index.find(n);
      if (found != index.end() && found->second.sequence != 0 && found->second.sequence < entry.sequence) Forget(n);
      return;
    }
    auto dead = tombstones.find(n);
    auto found = index.find(n);
    // Sequence 0: stored anew since the start, so newer than anything found.
    const bool older =
        found != index.end() && (found->second.sequence == 0 || found->second.sequence >= entry.sequence);
    if (older || (dead != tombstones.end() && dead->second > entry.sequence)) {
      tier_->Release(at, entry.RecordBytes());
      return;
    }
    Forget(n);
    index[n] = {at, entry.header_bytes, entry.stored_bytes, entry.sequence, false};
  }
  void OnRecoveryDone() override { recovery_done = true; }
  bool StillValued(ByteView identity, DiskLocation at) override {
    auto found = index.find(NumberOfIdentity(identity));
    return found != index.end() && found->second.at == at && !found->second.spare;
  }
  bool OnMoved(ByteView identity, DiskLocation from, DiskLocation to) override {
    auto found = index.find(NumberOfIdentity(identity));
    if (found == index.end() || found->second.at != from) return false;
    ++moved;
    found->second.at = to;
    if (found->second.spare) tier_->SetSpare(to, found->second.record_bytes(), true);
    return true;
  }
  void OnDropped(ByteView identity, DiskLocation at) override {
    auto found = index.find(NumberOfIdentity(identity));
    if (found == index.end() || found->second.at != at) return;
    if (!found->second.spare) ++dropped_valued;
    dropped.insert(found->first);
    index.erase(found);
  }
  void OnRegionDropped(uint32_t region) override {
    ++regions_dropped;
    for (auto block = index.begin(); block != index.end();) {
      if (block->second.at.region == region) {
        dropped.insert(block->first);
        block = index.erase(block);
      } else {
        ++block;
      }
    }
  }

  std::map<uint64_t, Block> index;
  std::map<uint64_t, uint64_t> tombstones;
  std::set<uint64_t> dropped;
  uint64_t moved = 0, dropped_valued = 0, regions_dropped = 0;
  bool recovery_done = false;

 private:
  NvmeTier* tier_ = nullptr;
};

}  // namespace incipit::testing
