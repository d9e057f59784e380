// What the policies are told: of every block in RAM one of them, of every block at all another.
#include <algorithm>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/shard/block_store.h"
#include "eviction/policies.h"

namespace incipit {
namespace {

constexpr uint8_t kLastTurn = std::numeric_limits<uint8_t>::max();
// Capacities are told again after a sixteenth of the blocks has entered, and not before so many.
constexpr uint64_t kFewestEntriesToRetell = 64;
constexpr uint64_t kRetellShare = 16;
constexpr double kSpareRoom = 0.05;  // of a tier: with more than that free, everything has a place
constexpr size_t kComparedVictims = 64;
constexpr size_t kPrefetchAhead = 12;  // touches

size_t CapacityInBlocks(double capacity_bytes, uint64_t blocks, uint64_t bytes) {
  const double mean_bytes = static_cast<double>(std::max<uint64_t>(1, bytes)) / static_cast<double>(blocks);
  return static_cast<size_t>(std::max(1.0, capacity_bytes / mean_bytes));
}

}  // namespace

// Owners of one shard learn together, or each would need a model of its own, which is megabytes.
absl::StatusOr<PartitionedPolicy::Maker> BlockStore::MakerOf(const BlockStoreOptions& options, uint64_t seed,
                                                             const std::shared_ptr<PolicyPeers>& peers) {
  const std::string& name = options.eviction;
  PolicyOptions policy;
  policy.cost = CostModelOf("");  // blocks name their model's own
  policy.by_flops = options.eviction_by_flops;
  policy.models = std::make_shared<SharedModels>();
  policy.peers = peers;
  RETURN_IF_ERROR(MakePolicy(name, policy).status());
  return [name, policy, seed](OwnerIndex owner) mutable {
    policy.seed = seed + owner;
    policy.part = absl::StrCat("owner ", owner);
    return *MakePolicy(name, policy);
  };
}

Access BlockStore::AccessOf(const Entry& entry, uint64_t stamp_ns) const {
  const uint8_t turn = turns_.Of(stamp_ns);
  return {.stamp_ns = stamp_ns,
          .depth_tokens = entry.depth_tokens,
          .bytes = entry.header_bytes + entry.stored_bytes,
          .turn = turn == 0 ? entry.turn : turn,
          .key = entry.hash.low,
          .cost = &namespaces_.At(entry.namespace_id).cost};
}

void BlockStore::Touch(BlockId id, uint64_t stamp_ns) {
  const Entry& entry = entries_.At(id);
  const Access access = AccessOf(entry, stamp_ns);
  if (entry.in_ram) ram_policy_.OnAccess(id, access);
  if (entry.in_all_policy) all_policy_.OnAccess(id, access);
}

void BlockStore::TouchAll(std::span<const BlockId> ids, uint64_t stamp_ns) {
  const Entry* deepest = nullptr;
  for (const BlockId id : ids) {
    const Entry& entry = entries_.At(id);
    if (deepest == nullptr || entry.depth_tokens >= deepest->depth_tokens) deepest = &entry;
  }
  if (deepest != nullptr && deepest->turn > 0) {
    turns_.Note(stamp_ns, static_cast<uint8_t>(std::min(deepest->turn + 1, int{kLastTurn})));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i + kPrefetchAhead < ids.size()) {
      ram_policy_.Prefetch(ids[i + kPrefetchAhead]);
      if (nvme_ != nullptr) all_policy_.Prefetch(ids[i + kPrefetchAhead]);
    }
    Touch(ids[i], stamp_ns);
  }
}

void BlockStore::GiveHint(BlockId id, const Hint& hint) {
  const Entry& entry = entries_.At(id);
  if (entry.in_ram) ram_policy_.OnHint(id, hint);
  if (entry.in_all_policy) all_policy_.OnHint(id, hint);
}

uint64_t BlockStore::StampOf(BlockId id) const {
  const Entry& entry = entries_.At(id);
  if (entry.in_all_policy) return all_policy_.StampOf(id);
  return entry.in_ram ? ram_policy_.StampOf(id) : 0;
}

bool BlockStore::WouldKeep(uint64_t stamp_ns) {
  const auto capacity = static_cast<double>(arena_->stats().capacity_bytes);
  if (static_cast<double>(arena_->FreeBytes()) > kSpareRoom * capacity) return true;
  if (NvmeServes()) {  // what RAM gives up goes there
    const auto usable = static_cast<double>(nvme_->UsableBytes());
    if (static_cast<double>(nvme_->stats().valued_bytes + writing_bytes_) < (1 - kSpareRoom) * usable) return true;
  }
  PartitionedPolicy& policy = NvmeServes() ? all_policy_ : ram_policy_;
  const BlockId least = policy.Victim([&](BlockId id) { return entries_.At(id).pins == 0; }, kComparedVictims);
  return least != kNoBlock && policy.StampOf(least) < stamp_ns;
}

void BlockStore::EnterRam(BlockId id, uint64_t stamp_ns) {
  Entry& entry = entries_.At(id);
  entry.in_ram = true;
  ram_record_bytes_ += Arena::AllocatedBytesFor(entry.RecordBytes());
  ram_policy_.OnInsert(entry.owner, id, AccessOf(entry, stamp_ns));
  TellCapacities();
}

void BlockStore::LeaveRam(BlockId id) {
  Entry& entry = entries_.At(id);
  ram_policy_.OnRemove(id);
  ram_record_bytes_ -= Arena::AllocatedBytesFor(entry.RecordBytes());
  entry.in_ram = false;
}

// Without NVMe the RAM tier is all there is.
void BlockStore::EnterAll(BlockId id, uint64_t stamp_ns) {
  if (nvme_ == nullptr) return;
  Entry& entry = entries_.At(id);
  entry.in_all_policy = true;
  all_record_bytes_ += AlignUp(entry.RecordBytes(), kRecordAlign);
  all_policy_.OnInsert(entry.owner, id, AccessOf(entry, stamp_ns));
  TellCapacities();
}

void BlockStore::LeaveAll(BlockId id) {
  Entry& entry = entries_.At(id);
  if (!entry.in_all_policy) return;
  all_policy_.OnRemove(id);
  all_record_bytes_ -= AlignUp(entry.RecordBytes(), kRecordAlign);
  entry.in_all_policy = false;
}

void BlockStore::EnterNvmeOnly(BlockId id) {
  Entry& entry = entries_.At(id);
  entry.nvme_only = true;
  ++nvme_only_blocks_;
  usages_[entry.owner].nvme_bytes += entry.RecordBytes();
}

void BlockStore::LeaveNvmeOnly(BlockId id) {
  Entry& entry = entries_.At(id);
  entry.nvme_only = false;
  --nvme_only_blocks_;
  usages_[entry.owner].nvme_bytes -= entry.RecordBytes();
}

// Policies think in blocks, tiers in bytes: what there is tells how large a block is.
void BlockStore::TellCapacities() {
  if (++entries_since_told_ < std::max(kFewestEntriesToRetell, ram_policy_.size() / kRetellShare)) return;
  entries_since_told_ = 0;
  double ram_bytes = static_cast<double>(arena_->stats().capacity_bytes);
  if (nvme_ != nullptr) ram_bytes *= 1 - options_.free_ram_target;
  const uint64_t in_ram = ram_policy_.size();
  const size_t ram_blocks = in_ram == 0 ? 1 : CapacityInBlocks(ram_bytes, in_ram, ram_record_bytes_);
  ram_policy_.SetCapacity(ram_blocks, options_.max_ghosts);
  const uint64_t in_all = all_policy_.size();
  if (in_all == 0) return;
  const double nvme_bytes = static_cast<double>(nvme_->UsableBytes());
  all_policy_.SetCapacity(ram_blocks + CapacityInBlocks(nvme_bytes, in_all, all_record_bytes_), options_.max_ghosts);
}

}  // namespace incipit
