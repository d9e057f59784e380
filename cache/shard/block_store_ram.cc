// Room in RAM: who gives way, and who waits.
#include "cache/base/check.h"
#include "cache/base/defence.h"
#include "cache/shard/block_store.h"

namespace incipit {
namespace {

constexpr size_t kVictimCandidates = 256;
constexpr int64_t kRecheckNs = 20'000'000;  // a waiter looks again this often, whatever wakes it
// Demotions that make no progress for so long are not waited for: the block is dropped, which costs a hit, not a store.
constexpr int64_t kDemotionPatienceNs = 200'000'000;

}  // namespace

// Of one tenant's blocks, or of all.
BlockId BlockStore::RamVictim(const TenantIndex* of_tenant) {
  // A pinned block may move to NVMe but not vanish.
  const bool demotable = NvmeServes();
  const auto evictable = [&](BlockId id) {
    const Entry& entry = entries_.At(id);
    if ((INCIPIT_DEFENDED(kExtentReuse) && entry.readers > 0) || entry.writing) return false;
    return entry.pins == 0 || entry.nvme.valid() || demotable;
  };
  if (of_tenant != nullptr) return ram_policy_.VictimOf(*of_tenant, evictable, kVictimCandidates);
  if (const BlockId surplus = SurplusVictim(Tier::kRam, evictable); surplus != kNoBlock) return surplus;
  return ram_policy_.Victim(evictable, kVictimCandidates);
}

// Makes `victim` leave RAM, now or when its write ends, or another block that is worth less. True if memory is free
// already.
bool BlockStore::EvictOrStartDemotion(BlockId victim, bool may_demote) {
  Entry& entry = entries_.At(victim);
  if (entry.nvme.valid() && MayStayOnNvme(victim)) {
    ++counters_.dropped_as_spare;
    FinishDemotion(victim);
    return true;
  }
  const BlockId evicted = may_demote && !entry.nvme.valid() ? MakeNvmeRoom(victim) : victim;
  if (evicted == kNoBlock) {
    demoting_bytes_ += Arena::AllocatedBytesFor(entry.RecordBytes());
    usages_[entry.owner].demoting_bytes += Arena::AllocatedBytesFor(entry.RecordBytes());
    usages_[entry.owner].nvme_writing_bytes += entry.RecordBytes();
    tasks_.Spawn(WriteToNvme(victim, /*demote=*/true));
    return false;
  }
  if (entries_.At(evicted).pins > 0) return false;
  ++counters_.evicted_from_ram;
  Doom(evicted);
  return true;
}

// Frees `bytes` without waiting, from free memory and from victims whose bytes are safe or not worth keeping.
bool BlockStore::MakeRoomNow(uint64_t bytes) {
  const uint64_t needed = Arena::AllocatedBytesFor(bytes);
  while (arena_->FreeBytes() < needed) {
    const BlockId victim = NextRamVictim();
    if (victim == kNoBlock || (NvmeServes() && !entries_.At(victim).nvme.valid())) return false;
    if (!EvictOrStartDemotion(victim, /*may_demote=*/true)) return false;
  }
  return true;
}

Task<bool> BlockStore::MakeRoom(uint64_t bytes, int64_t deadline_ns) {
  const uint64_t needed = Arena::AllocatedBytesFor(bytes);
  if (needed > arena_->stats().capacity_bytes) co_return false;
  const int64_t start_ns = loop_->NowNs();
  while (true) {
    const bool patient = loop_->NowNs() - std::max(start_ns, last_demotion_ns_) < kDemotionPatienceNs;
    while (arena_->FreeBytes() + (patient ? demoting_bytes_ : 0) < needed) {
      const BlockId victim = NextRamVictim();
      if (victim == kNoBlock) break;
      // False for one that is being written now, and for one that is pinned with nowhere to go.
      if (!EvictOrStartDemotion(victim, patient) && !entries_.At(victim).writing) break;
    }
    if (arena_->FreeBytes() >= needed) break;
    if (loop_->NowNs() >= deadline_ns || shutting_down_) co_return false;
    space_freed_.Clear();
    co_await space_freed_.WaitUntil(std::min(deadline_ns, loop_->NowNs() + kRecheckNs));
  }
  KeepHeadroom();
  co_return true;
}

// Demotes ahead of need, so that the next store finds free memory instead of waiting for a write.
void BlockStore::KeepHeadroom() {
  if (!NvmeServes()) return;
  const auto target =
      static_cast<uint64_t>(options_.free_ram_target * static_cast<double>(arena_->stats().capacity_bytes));
  while (arena_->FreeBytes() + demoting_bytes_ < target && writing_bytes_ < options_.demotion_backlog_bytes) {
    const BlockId victim = NextRamVictim();
    if (victim == kNoBlock) return;
    if (!EvictOrStartDemotion(victim, /*may_demote=*/true) && !entries_.At(victim).writing) return;
  }
}

}  // namespace incipit
