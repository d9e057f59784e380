// What tenants take and may take. A tenant at its quota makes room with its own blocks; nobody else's give way for it.
#include <limits>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/shard/block_store.h"
#include "eviction/reuse_curve.h"

namespace incipit {
namespace {

constexpr size_t kVictimCandidates = 256;
constexpr int64_t kRecheckNs = 20'000'000;
constexpr int64_t kDemotionPatienceNs = 200'000'000;  // as for RAM as a whole
constexpr size_t kMaxListedTenants = std::numeric_limits<decltype(Entry::owner)>::max();

uint64_t NvmeBytesOf(const TenantUsage& usage) { return usage.nvme_bytes + usage.nvme_writing_bytes; }

}  // namespace

void BlockStore::SetQuotas(const std::vector<TenantQuota>& quotas) {
  bool moved = false;
  for (const TenantQuota& quota : quotas) {
    auto found = listed_.find(quota.name);
    if (found == listed_.end()) {
      // Only names that came and went with reloads can fill the list; who finds no place shares one without a quota.
      if (usages_.size() > kMaxListedTenants) continue;
      found = listed_.emplace(quota.name, static_cast<TenantIndex>(usages_.size())).first;
      usages_.emplace_back();
      moved |= namespaces_.SetOwner(quota.name, found->second);
    }
    usages_[found->second].quota = quota;
  }
  if (moved) Rehome();
  for (const auto& [name, index] : listed_) {
    TenantUsage& usage = usages_[index];
    usage.ram_limit.Set(usage.quota.ram_bytes, usage.quota.lone_ram_bytes, usage.ram_bytes);
    usage.nvme_limit.Set(usage.quota.nvme_bytes, usage.quota.lone_nvme_bytes, NvmeBytesOf(usage));
  }
  may_have_surplus_ = true;
  NoteSpaceFreed();  // Stores that wait for room under a quota may have it now.
}

// Blocks that were found on NVMe, or stored, before their tenant was listed move to its account.
void BlockStore::Rehome() {
  for (BlockId id = 0; id < entries_.end(); ++id) {
    Entry& entry = entries_.At(id);
    if (!entry.indexed) continue;  // What is just arriving stays where it was counted.
    const TenantIndex owner = OwnerOf(entry.namespace_id);
    if (owner == entry.owner) continue;
    const uint64_t ram_bytes = entry.ram.empty() ? 0 : Arena::AllocatedBytesFor(entry.RecordBytes());
    const bool in_ram = entry.in_ram, nvme_only = entry.nvme_only, in_all = entry.in_all_policy;
    const uint64_t stamp_ns = in_ram ? ram_policy_.StampOf(id) : in_all ? all_policy_.StampOf(id) : 0;
    if (in_ram) LeaveRam(id);
    if (nvme_only) LeaveNvmeOnly(id);
    LeaveAll(id);
    --usages_[entry.owner].blocks;
    usages_[entry.owner].ram_bytes -= ram_bytes;
    entry.owner = static_cast<uint16_t>(owner);
    ++usages_[entry.owner].blocks;
    usages_[entry.owner].ram_bytes += ram_bytes;
    if (in_ram) EnterRam(id, stamp_ns);
    if (in_all) EnterAll(id, stamp_ns);
    if (nvme_only) EnterNvmeOnly(id);
  }
}

bool BlockStore::OverRamQuota(TenantIndex owner, uint64_t more_bytes, uint64_t soon_free_bytes) const {
  const TenantUsage& usage = usages_[owner];
  return usage.ram_limit.IsOver(usage.ram_bytes - std::min(usage.ram_bytes, soon_free_bytes), more_bytes);
}

bool BlockStore::OverNvmeQuota(TenantIndex owner, uint64_t more_bytes) const {
  const TenantUsage& usage = usages_[owner];
  return usage.nvme_limit.IsOver(NvmeBytesOf(usage), more_bytes);
}

void BlockStore::NoteFoundOnNvme(TenantIndex owner) {
  usages_[owner].nvme_limit.NoteFound(NvmeBytesOf(usages_[owner]));
  may_have_surplus_ = true;
}

// Where anybody needs room, what tenants have above shares that fell goes first. kNoBlock: nobody has any.
BlockId BlockStore::SurplusVictim(Tier tier, absl::FunctionRef<bool(BlockId)> evictable) {
  if (!may_have_surplus_) return kNoBlock;
  bool any = false;
  for (TenantIndex owner = 0; owner < usages_.size(); ++owner) {
    const TenantUsage& usage = usages_[owner];
    const bool in_ram = usage.ram_limit.HasSurplus(usage.ram_bytes);
    const bool on_nvme = usage.nvme_limit.HasSurplus(NvmeBytesOf(usage));
    any |= in_ram || on_nvme;
    if (!(tier == Tier::kRam ? in_ram : on_nvme)) continue;
    PartitionedPolicy& policy = tier == Tier::kRam ? ram_policy_ : all_policy_;
    const BlockId victim = policy.VictimOf(owner, evictable, kVictimCandidates);
    if (victim != kNoBlock) return victim;
  }
  may_have_surplus_ = any;
  return kNoBlock;
}

// Counts `bytes` for the tenant, after as many of its own blocks as need be have left RAM. The same as MakeRoom, within
// one tenant.
Task<absl::Status> BlockStore::ChargeRam(TenantIndex owner, uint64_t bytes, int64_t deadline_ns) {
  const int64_t start_ns = loop_->NowNs();
  while (true) {
    if (!usages_[owner].ram_limit.Admits(bytes)) {
      ++usages_[owner].refused_for_quota;
      co_return absl::FailedPreconditionError(
          absl::StrCat("a record of ", bytes, " bytes is over the tenant's share of ", usages_[owner].quota.ram_bytes,
                       " bytes of this shard's RAM"));
    }
    if (!OverRamQuota(owner, bytes, 0)) break;
    const bool patient = loop_->NowNs() - std::max(start_ns, last_demotion_ns_) < kDemotionPatienceNs;
    while (OverRamQuota(owner, bytes, patient ? usages_[owner].demoting_bytes : 0)) {
      if (patient && writing_bytes_ >= options_.demotion_backlog_bytes) break;
      const BlockId victim = RamVictim(&owner);
      if (victim == kNoBlock) break;
      ++usages_[owner].evicted_for_quota;
      if (!EvictOrStartDemotion(victim, patient) && !entries_.At(victim).writing) break;
    }
    if (!OverRamQuota(owner, bytes, 0)) break;
    if (loop_->NowNs() >= deadline_ns || shutting_down_) {
      ++usages_[owner].refused_for_quota;
      co_return absl::ResourceExhaustedError("the tenant's quota of RAM is used up by blocks that are in use");
    }
    space_freed_.Clear();
    co_await space_freed_.WaitUntil(std::min(deadline_ns, loop_->NowNs() + kRecheckNs));
  }
  TenantUsage& usage = usages_[owner];
  usage.ram_bytes += bytes;
  usage.ram_limit.NoteStored(bytes, usage.ram_bytes);
  usage.nvme_limit.NoteStored(bytes, NvmeBytesOf(usage));
  co_return absl::OkStatus();
}

// For a promotion: without waiting, and only by blocks that have a copy on NVMe.
bool BlockStore::MakeRamQuotaRoomNow(TenantIndex owner, uint64_t bytes) {
  const uint64_t needed = Arena::AllocatedBytesFor(bytes);
  if (!usages_[owner].ram_limit.Admits(needed)) return false;
  while (OverRamQuota(owner, needed, 0)) {
    const BlockId victim = RamVictim(&owner);
    if (victim == kNoBlock || !entries_.At(victim).nvme.valid()) return false;
    ++usages_[owner].evicted_for_quota;
    if (!EvictOrStartDemotion(victim, /*may_demote=*/false)) return false;
  }
  return true;
}

// Evicts the tenant's own least valued blocks from NVMe for `id`; not if that is worth less than they are.
bool BlockStore::MakeNvmeQuotaRoom(BlockId id) {
  const Entry& entry = entries_.At(id);
  const TenantIndex owner = entry.owner;
  if (!usages_[owner].nvme_limit.Admits(entry.RecordBytes())) return false;
  const auto evictable = [&](BlockId candidate) {
    if (candidate == id) return entry.pins == 0;
    return entries_.At(candidate).nvme_only && entries_.At(candidate).pins == 0;
  };
  while (OverNvmeQuota(owner, entry.RecordBytes())) {
    const BlockId least = all_policy_.VictimOf(owner, evictable, kVictimCandidates);
    if (least == kNoBlock || least == id) return false;
    ++usages_[owner].evicted_for_quota;
    ++counters_.evicted_from_nvme;
    Doom(least);
  }
  return true;
}

// Whether the tenant's quota lets a block that leaves RAM be on NVMe. A pinned one always may: the promise of its lease
// goes first, and if it had to stay in RAM it would stand in everybody's way. Leases are bounded.
bool BlockStore::MayStayOnNvme(BlockId id) { return MakeNvmeQuotaRoom(id) || entries_.At(id).pins > 0; }

std::vector<TenantReport> BlockStore::TenantReports() const {
  std::vector<TenantReport> reports;
  if (listed_.empty()) return reports;
  reports.resize(usages_.size());
  for (const auto& [name, index] : listed_) reports[index].name = name;
  for (size_t i = 0; i < usages_.size(); ++i) reports[i].usage = usages_[i];
  return reports;
}

std::vector<ReuseReport> BlockStore::ReuseReports() const {
  std::vector<std::string> names(usages_.size());
  for (const auto& [name, index] : listed_) names[index] = name;
  std::vector<ReuseReport> reports;
  for (TenantIndex owner = 0; owner < reuse_curves_.size(); ++owner) {
    const ReuseCurve* curve = reuse_curves_.Of(owner);
    if (curve != nullptr) reports.push_back({names[owner], curve->distances()});
  }
  return reports;
}

std::vector<std::pair<std::string, uint64_t>> BlockStore::ValuesOf(const std::string& tenant) const {
  const auto found = listed_.find(tenant);
  return ValuesOfTenant(found == listed_.end() ? TenantUsage() : usages_[found->second]);
}

void BlockStore::CountDenied(const std::string& tenant) {
  const auto found = listed_.find(tenant);
  ++usages_[found == listed_.end() ? kUnlistedTenants : found->second].denied;
}

}  // namespace incipit
