#include "cache/shard/namespace_table.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

constexpr size_t kFingerprintBytesShown = 8;

std::string LayoutName(const NamespaceTable::Info& info) {
  if (info.layout.has_value()) return info.layout->name;
  const ByteView shown = ByteView(info.identity.layout_fingerprint).first(kFingerprintBytesShown);
  return absl::BytesToHexString(std::string(AsText(shown)));
}

}  // namespace

absl::StatusOr<NamespaceId> NamespaceTable::Intern(const NamespaceIdentity& identity) {
  std::vector<uint8_t> framed = FrameNamespace(identity);
  std::string name(AsText(framed));
  const auto found = by_framed_.find(name);
  if (found != by_framed_.end()) return found->second;
  if (infos_.size() >= kMaxNamespaces) {
    return absl::ResourceExhaustedError(absl::StrCat("this shard holds ", infos_.size(),
                                                     " namespaces, the limit; restart the node to forget unused ones"));
  }
  const auto id = static_cast<NamespaceId>(infos_.size());
  auto info = std::make_unique<Info>();
  info->identity = identity;
  info->framed = std::move(framed);
  Owned& owned = tenants_[identity.tenant];
  ++owned.namespaces;
  info->owner = owned.owner;
  info->cost = CostModelOf("");
  infos_.push_back(std::move(info));
  by_framed_[std::move(name)] = id;
  return id;
}

absl::StatusOr<NamespaceId> NamespaceTable::Open(const std::string& tenant, const std::string& model,
                                                 const Layout& layout) {
  NamespaceIdentity identity{tenant, model, layout.Fingerprint()};
  const auto found = tenants_.find(tenant);
  const bool full = found != tenants_.end() && found->second.owner != kUnlistedTenants &&
                    found->second.namespaces >= kMaxNamespacesPerTenant;
  if (full && !by_framed_.contains(std::string(AsText(FrameNamespace(identity))))) {
    return absl::ResourceExhaustedError(
        absl::StrCat("tenant '", tenant, "' has ", found->second.namespaces, " namespaces on this shard, the limit"));
  }
  ASSIGN_OR_RETURN(const NamespaceId id, Intern(identity));
  if (!infos_[id]->layout.has_value()) {
    infos_[id]->layout = layout;
    infos_[id]->cost = CostModelOf(layout.name);
  }
  return id;
}

bool NamespaceTable::SetOwner(const std::string& tenant, TenantIndex owner) {
  Owned& owned = tenants_[tenant];
  owned.owner = owner;
  for (const auto& info : infos_) {
    if (info->identity.tenant == tenant) info->owner = owner;
  }
  return owned.namespaces > 0;
}

void NamespaceTable::CountBlock(const Entry& entry) {
  NamespaceUsage& usage = infos_[entry.namespace_id]->usage;
  ++usage.blocks;
  usage.raw_bytes += entry.raw_bytes;
  usage.stored_bytes += entry.stored_bytes;
}

void NamespaceTable::UncountBlock(const Entry& entry) {
  NamespaceUsage& usage = infos_[entry.namespace_id]->usage;
  --usage.blocks;
  usage.raw_bytes -= entry.raw_bytes;
  usage.stored_bytes -= entry.stored_bytes;
}

void NamespaceTable::CountMatch(NamespaceId id, size_t keys, size_t hits) {
  infos_[id]->traffic.match_keys += keys;
  infos_[id]->traffic.match_hits += hits;
}

std::vector<NamespaceReport> NamespaceTable::Reports() const {
  std::vector<NamespaceReport> reports;
  for (const auto& info : infos_) {
    if (info->usage.blocks == 0) continue;
    reports.push_back({info->identity.tenant, info->identity.model, LayoutName(*info), info->usage});
  }
  return reports;
}

}  // namespace incipit
