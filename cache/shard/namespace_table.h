// The namespaces a shard has met, numbered. Two numbers are equal exactly if the namespaces are, so comparing numbers
// compares tenant, model and layout in full.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "cache/format/identity.h"
#include "cache/shard/entry.h"
#include "cache/shard/namespace_usage.h"
#include "cache/shard/tenant_usage.h"
#include "eviction/cost_model.h"

namespace incipit {

inline constexpr size_t kMaxNamespaces = 4096;
inline constexpr size_t kMaxNamespacesPerTenant = 256;  // where there are tenants: one must not use up all

// One thread.
class NamespaceTable {
 public:
  struct Info {
    NamespaceIdentity identity;
    std::vector<uint8_t> framed;
    TenantIndex owner = kUnlistedTenants;
    NamespaceUsage usage;
    CostModel cost;                // of the layout; that of the V3 class as long as it is unknown
    std::optional<Layout> layout;  // unknown for what recovery found, until a session opens the namespace
    NamespaceTraffic traffic;
  };

  // ResourceExhausted past kMaxNamespaces, and in Open past kMaxNamespacesPerTenant of a listed tenant.
  absl::StatusOr<NamespaceId> Intern(const NamespaceIdentity& identity);
  absl::StatusOr<NamespaceId> Open(const std::string& tenant, const std::string& model, const Layout& layout);
  // Namespaces of `tenant` belong to `owner` from now on. True if there are any yet.
  bool SetOwner(const std::string& tenant, TenantIndex owner);
  const Info& At(NamespaceId id) const { return *infos_[id]; }
  // A block became visible in its namespace, or ceased to be.
  void CountBlock(const Entry& entry);
  void UncountBlock(const Entry& entry);
  // What a client asked for and was given.
  void CountMatch(NamespaceId id, size_t keys, size_t hits);
  void CountLoad(NamespaceId id, uint64_t bytes) { infos_[id]->traffic.load_bytes += bytes; }
  // Of those that have blocks.
  std::vector<NamespaceReport> Reports() const;
  size_t size() const { return infos_.size(); }

 private:
  struct Owned {
    TenantIndex owner = kUnlistedTenants;
    size_t namespaces = 0;
  };
  absl::flat_hash_map<std::string, NamespaceId> by_framed_;
  absl::flat_hash_map<std::string, Owned> tenants_;
  std::vector<std::unique_ptr<Info>> infos_;
};

}  // namespace incipit
