#include "cache/tenants/tenant_file.h"

#include <toml++/toml.h>

#include <filesystem>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "transport/auth/secret_file.h"

namespace incipit {
namespace {

constexpr char kFlag[] = "--tenants";

// One [[tenant]] or [[grant]] being read.
class EntryReader {
 public:
  EntryReader(const std::string* path, const char* kind, const toml::table* table)
      : path_(path), kind_(kind), table_(table) {}

  absl::Status Refuse(const toml::node& node, absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(kFlag, " ", *path_, ":", node.source().begin.line, ": [[", kind_, "]] ", what));
  }
  absl::Status Refuse(absl::string_view what) const { return Refuse(*table_, what); }

  absl::Status CheckKeys(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, node] : *table_) {
      const std::string_view name = key.str();
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      return Refuse(node, absl::StrCat("has no key '", std::string(name), "'"));
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> Text(const char* key) const {
    const toml::node* node = table_->get(key);
    if (node == nullptr) return Refuse(absl::StrCat("needs ", key));
    const auto* text = node->as_string();
    if (text == nullptr) return Refuse(*node, absl::StrCat(key, " is not a text"));
    return text->get();
  }
  absl::StatusOr<RoleSet> Roles(RoleSet if_absent) const {
    const toml::node* node = table_->get("roles");
    if (node == nullptr) return if_absent;
    const toml::array* names = node->as_array();
    if (names == nullptr) return Refuse(*node, R"(roles is not an array, as ["read", "write"])");
    RoleSet roles;
    for (const toml::node& element : *names) {
      const auto* name = element.as_string();
      const std::string_view text = name == nullptr ? std::string_view() : name->get();
      if (text == "read")
        roles = roles | Role::kRead;
      else if (text == "write")
        roles = roles | Role::kWrite;
      else if (text == "admin")
        roles = roles | Role::kAdmin;
      else if (text == "peer")
        roles = roles | Role::kPeer;
      else
        return Refuse(element, R"(roles are "read", "write", "admin" and "peer")");
    }
    return roles;
  }
  absl::StatusOr<uint64_t> Bytes(const char* key) const {
    const toml::node* node = table_->get(key);
    if (node == nullptr) return kNoQuota;
    const auto* number = node->as_integer();
    if (number == nullptr || number->get() < 0) {
      return Refuse(*node, absl::StrCat(key, " is not a number of bytes, 0 or more; leave it out for no quota"));
    }
    return static_cast<uint64_t>(number->get());
  }
  absl::StatusOr<std::vector<uint32_t>> Uids() const {
    std::vector<uint32_t> uids;
    const toml::node* node = table_->get("uids");
    if (node == nullptr) return uids;
    const toml::array* numbers = node->as_array();
    if (numbers == nullptr) return Refuse(*node, "uids is not an array of numbers, as [1001]");
    for (const toml::node& element : *numbers) {
      const auto* number = element.as_integer();
      if (number == nullptr || number->get() < 0 || number->get() >= std::numeric_limits<uint32_t>::max()) {
        return Refuse(element, "uids holds what is no user's number; names do not work here, `id -u NAME` tells it");
      }
      uids.push_back(static_cast<uint32_t>(number->get()));
    }
    return uids;
  }
  bool Has(const char* key) const { return table_->contains(key); }

 private:
  const std::string* path_;
  const char* kind_;
  const toml::table* table_;
};

// None for a tenant that only users of this host can be.
absl::StatusOr<std::optional<TenantKey>> KeyOf(const EntryReader& entry, const std::string& directory) {
  if (entry.Has("secret") && entry.Has("secret_file")) {
    return entry.Refuse("has secret_file and secret: one of them, not both");
  }
  if (!entry.Has("secret") && !entry.Has("secret_file")) {
    if (entry.Has("uids")) return std::nullopt;
    return entry.Refuse("needs secret_file or secret, or uids (users of this host, on the unix lane)");
  }
  if (entry.Has("secret_file")) {
    ASSIGN_OR_RETURN(const std::string name, entry.Text("secret_file"));
    const std::filesystem::path path = std::filesystem::path(directory) / name;  // an absolute name stays as it is
    return ReadSecretFile("secret_file", path.string());
  }
  ASSIGN_OR_RETURN(std::string text, entry.Text("secret"));
  absl::StatusOr<std::vector<uint8_t>> secret = DecodeSecret(text);
  Wipe(text.data(), text.size());
  if (!secret.ok()) return entry.Refuse(absl::StrCat("secret: ", secret.status().message()));
  const TenantKey key(*secret);
  Wipe(secret->data(), secret->size());
  return key;
}

absl::StatusOr<Tenant> ReadTenant(const EntryReader& entry, const std::string& directory) {
  RETURN_IF_ERROR(entry.CheckKeys({"name", "secret", "secret_file", "roles", "uids", "ram_quota_bytes",
                                   "nvme_quota_bytes", "cluster_ram_quota_bytes", "cluster_nvme_quota_bytes"}));
  ASSIGN_OR_RETURN(const std::string name, entry.Text("name"));
  if (const absl::Status status = CheckTenantName(name); !status.ok()) return entry.Refuse(status.message());
  ASSIGN_OR_RETURN(const std::optional<TenantKey> key, KeyOf(entry, directory));
  Tenant tenant{.name = name, .key = key};
  ASSIGN_OR_RETURN(tenant.roles, entry.Roles(tenant.roles));
  ASSIGN_OR_RETURN(tenant.uids, entry.Uids());
  ASSIGN_OR_RETURN(tenant.ram_quota_bytes, entry.Bytes("ram_quota_bytes"));
  ASSIGN_OR_RETURN(tenant.nvme_quota_bytes, entry.Bytes("nvme_quota_bytes"));
  ASSIGN_OR_RETURN(tenant.cluster_ram_quota_bytes, entry.Bytes("cluster_ram_quota_bytes"));
  ASSIGN_OR_RETURN(tenant.cluster_nvme_quota_bytes, entry.Bytes("cluster_nvme_quota_bytes"));
  return tenant;
}

absl::StatusOr<Grant> ReadGrant(const EntryReader& entry) {
  RETURN_IF_ERROR(entry.CheckKeys({"owner", "namespace", "to", "roles"}));
  Grant grant;
  ASSIGN_OR_RETURN(grant.owner, entry.Text("owner"));
  ASSIGN_OR_RETURN(grant.model, entry.Text("namespace"));
  ASSIGN_OR_RETURN(grant.to, entry.Text("to"));
  ASSIGN_OR_RETURN(grant.roles, entry.Roles(grant.roles));
  return grant;
}

// Calls read(entry) for each element of the array of tables `kind`.
template <typename Read>
absl::Status ForEach(const toml::table& root, const std::string& path, const char* kind, Read read) {
  const toml::node* node = root.get(kind);
  if (node == nullptr) return absl::OkStatus();
  const toml::array* tables = node->as_array();
  for (size_t i = 0; tables != nullptr && i < tables->size(); ++i) {
    const toml::table* table = (*tables)[i].as_table();
    if (table == nullptr) break;
    RETURN_IF_ERROR(read(EntryReader(&path, kind, table)));
    if (i + 1 == tables->size()) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(kFlag, " ", path, ":", node->source().begin.line, ": ", kind,
                                                 " is written [[", kind, "]], once for each"));
}

}  // namespace

absl::StatusOr<TenantTableRef> ParseTenantFile(std::string_view text, const std::string& path,
                                               const std::string& directory) {
  toml::table root;
  try {
    root = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    // Without the parser's words: they quote what stands there, which may be a secret.
    return absl::InvalidArgumentError(absl::StrCat(kFlag, " ", path, ":", error.source().begin.line,
                                                   ": not TOML, near column ", error.source().begin.column));
  }
  for (const auto& [key, node] : root) {
    if (key.str() == "tenant" || key.str() == "grant") continue;
    return absl::InvalidArgumentError(absl::StrCat(kFlag, " ", path, ":", node.source().begin.line, ": unknown '",
                                                   std::string(key.str()), "'; there are [[tenant]] and [[grant]]"));
  }
  std::vector<Tenant> tenants;
  std::vector<Grant> grants;
  RETURN_IF_ERROR(ForEach(root, path, "tenant", [&](const EntryReader& entry) -> absl::Status {
    ASSIGN_OR_RETURN(Tenant tenant, ReadTenant(entry, directory));
    tenants.push_back(std::move(tenant));
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(ForEach(root, path, "grant", [&](const EntryReader& entry) -> absl::Status {
    ASSIGN_OR_RETURN(Grant grant, ReadGrant(entry));
    grants.push_back(std::move(grant));
    return absl::OkStatus();
  }));
  absl::StatusOr<TenantTableRef> table = TenantTable::Make(std::move(tenants), std::move(grants));
  if (table.ok()) return table;
  return absl::InvalidArgumentError(absl::StrCat(kFlag, " ", path, ": ", table.status().message()));
}

absl::StatusOr<TenantTableRef> ReadTenantFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadPrivateFile(kFlag, path, kMaxTenantFileBytes));
  absl::StatusOr<TenantTableRef> table =
      ParseTenantFile(text, path, std::filesystem::path(path).parent_path().string());
  Wipe(text.data(), text.size());
  return table;
}

}  // namespace incipit
