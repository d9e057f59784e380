// Who may use a node, and for what: one immutable state of the tenants' file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "cache/tenants/roles.h"
#include "transport/auth/tenant_key.h"

namespace incipit {

inline constexpr size_t kMaxTenants = 256;
inline constexpr size_t kMaxGrants = 4096;
inline constexpr size_t kMaxUidsPerTenant = 64;
// What the kernel shows for every user that it cannot name here (of another user namespace): stands for nobody.
inline constexpr uint32_t kOverflowUid = 65534;
inline constexpr uint64_t kNoQuota = UINT64_MAX;
inline constexpr char kAnyModel[] = "*";

struct Tenant {
  std::string name;              // 1 to kMaxNameBytes of A-Z a-z 0-9 . _ -
  std::optional<TenantKey> key;  // none: only users of this host can be this tenant
  RoleSet roles = Role::kRead | Role::kWrite;
  uint64_t ram_quota_bytes = kNoQuota;           // of the node, all shards together
  uint64_t nvme_quota_bytes = kNoQuota;          // of blocks that are on NVMe only
  uint64_t cluster_ram_quota_bytes = kNoQuota;   // of all nodes together, of which each takes its share
  uint64_t cluster_nvme_quota_bytes = kNoQuota;  // the same
  std::vector<uint32_t> uids;                    // users who are this tenant without a secret, on the unix lane
};

// Lets `to` into the namespaces of `owner`, with roles of its own that are among `roles`.
struct Grant {
  std::string owner;
  std::string model;  // kAnyModel: all of the owner's
  std::string to;
  RoleSet roles = Role::kRead;  // never kAdmin
};

// Shared by all shards of a node and replaced whole by a reload; any thread may read one.
class TenantTable {
 public:
  // InvalidArgument: no tenant at all, two of one name, a bad name, a grant that names nobody known,
  // a tenant with neither key nor uid, over a limit.
  static absl::StatusOr<std::shared_ptr<const TenantTable>> Make(std::vector<Tenant> tenants,
                                                                 std::vector<Grant> grants);

  // nullptr: not known.
  const Tenant* Find(std::string_view name) const;
  // Whether the tenant is known and lists the user.
  bool Lists(std::string_view tenant, uint32_t uid) const;
  // What `tenant` may do in namespaces of `owner` for `model`. In its own: its roles. In another's: what grants and its
  // roles have in common, and kAdmin if it has that. Nothing for a tenant that is not known.
  RoleSet RolesIn(std::string_view tenant, std::string_view owner, std::string_view model) const;
  const std::vector<Tenant>& tenants() const { return tenants_; }

 private:
  TenantTable() = default;
  std::vector<Tenant> tenants_;
  std::vector<Grant> grants_;
  absl::flat_hash_map<std::string, size_t> by_name_;
};

using TenantTableRef = std::shared_ptr<const TenantTable>;

// InvalidArgument unless `name` can name a tenant.
absl::Status CheckTenantName(std::string_view name);

}  // namespace incipit
