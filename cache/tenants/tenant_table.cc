#include "cache/tenants/tenant_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/base/types.h"

namespace incipit {
namespace {

bool MayStandInName(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

absl::Status CheckTenant(const Tenant& tenant) {
  RETURN_IF_ERROR(CheckTenantName(tenant.name));
  if (tenant.roles.empty()) return absl::InvalidArgumentError(absl::StrCat("tenant '", tenant.name, "' has no role"));
  if (!tenant.key.has_value() && tenant.uids.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tenant '", tenant.name, "' has neither secret nor uids: nobody could be it"));
  }
  if (tenant.uids.size() > kMaxUidsPerTenant) {
    return absl::InvalidArgumentError(
        absl::StrCat("tenant '", tenant.name, "' lists ", tenant.uids.size(), " users, at most ", kMaxUidsPerTenant));
  }
  if (std::ranges::find(tenant.uids, kOverflowUid) == tenant.uids.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("tenant '", tenant.name, "' lists uid ", kOverflowUid,
                                                 ", which stands for every user that the kernel cannot name"));
}

}  // namespace

absl::Status CheckTenantName(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, MayStandInName)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("tenant name '",
                                                 absl::CEscape(std::string(name.substr(0, kMaxNameBytes))), "': 1 to ",
                                                 kMaxNameBytes, " letters, digits, '.', '_' and '-'"));
}

absl::StatusOr<TenantTableRef> TenantTable::Make(std::vector<Tenant> tenants, std::vector<Grant> grants) {
  if (tenants.empty()) return absl::InvalidArgumentError("no [[tenant]]: nobody could use the node");
  if (tenants.size() > kMaxTenants) {
    return absl::InvalidArgumentError(absl::StrCat(tenants.size(), " tenants, at most ", kMaxTenants));
  }
  if (grants.size() > kMaxGrants) {
    return absl::InvalidArgumentError(absl::StrCat(grants.size(), " grants, at most ", kMaxGrants));
  }
  std::shared_ptr<TenantTable> table(new TenantTable());
  for (size_t i = 0; i < tenants.size(); ++i) {
    RETURN_IF_ERROR(CheckTenant(tenants[i]));
    if (table->by_name_.emplace(tenants[i].name, i).second) continue;
    return absl::InvalidArgumentError(absl::StrCat("two tenants are named '", tenants[i].name, "'"));
  }
  for (const Grant& grant : grants) {
    for (const std::string& name : {grant.owner, grant.to}) {
      if (table->by_name_.contains(name)) continue;
      return absl::InvalidArgumentError(absl::StrCat("a grant names '", absl::CEscape(name), "', who is no tenant"));
    }
    if (grant.owner == grant.to) {
      return absl::InvalidArgumentError(absl::StrCat("a grant of '", grant.owner, "' to itself says nothing"));
    }
    if (grant.roles.empty() || grant.roles.HasAnyOf(Role::kAdmin | Role::kPeer)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the grant of '", grant.owner, "' to '", grant.to, "' can give read, write or both"));
    }
    if (grant.model.empty() || grant.model.size() > kMaxNameBytes) {
      return absl::InvalidArgumentError(absl::StrCat("the grant of '", grant.owner, "' to '", grant.to,
                                                     "': namespace is the name of a model, or \"*\" for all"));
    }
  }
  table->tenants_ = std::move(tenants);
  table->grants_ = std::move(grants);
  return table;
}

const Tenant* TenantTable::Find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &tenants_[found->second];
}

bool TenantTable::Lists(std::string_view tenant, uint32_t uid) const {
  const Tenant* found = Find(tenant);
  return found != nullptr && std::ranges::find(found->uids, uid) != found->uids.end();
}

RoleSet TenantTable::RolesIn(std::string_view tenant, std::string_view owner, std::string_view model) const {
  const Tenant* who = Find(tenant);
  if (who == nullptr) return {};
  if (tenant == owner) return who->roles;
  RoleSet granted;
  for (const Grant& grant : grants_) {
    const bool applies =
        grant.to == tenant && grant.owner == owner && (grant.model == kAnyModel || grant.model == model);
    if (applies) granted = granted | grant.roles;
  }
  return who->roles & (granted | Role::kAdmin);
}

}  // namespace incipit
