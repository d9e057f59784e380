// The file that says who may use a node (TOML):
//
//   [[tenant]]
//   name = "search"
//   secret_file = "search.secret"      # relative to this file; or secret = "<hexadecimal digits>" here
//   roles = ["read", "write"]          # also "admin"; default: read and write
//   uids = [1001]                      # users of this host who are this tenant on the unix lane without a secret
//   ram_quota_bytes = 34_359_738_368   # default: no quota
//   nvme_quota_bytes = 1_099_511_627_776
//   cluster_ram_quota_bytes = 137_438_953_472   # of all nodes; each takes the share that its weight gives it
//   cluster_nvme_quota_bytes = 4_398_046_511_104
//
//   [[grant]]                          # lets another tenant into namespaces of `owner`
//   owner = "search"
//   namespace = "deepseek-v3"          # name of the model; "*" = all
//   to = "assistant"
//   roles = ["read"]                   # default: read
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cache/tenants/tenant_table.h"

namespace incipit {

inline constexpr size_t kMaxTenantFileBytes = 1 << 20;

// Reads the file and the secrets that it names. All of it is right, or an error says file, line, what and what to do:
// as ReadPrivateFile, and InvalidArgument. No message holds a secret.
absl::StatusOr<TenantTableRef> ReadTenantFile(const std::string& path);

// The same of a text; names of secret files are relative to `directory`.
absl::StatusOr<TenantTableRef> ParseTenantFile(std::string_view text, const std::string& path,
                                               const std::string& directory);

}  // namespace incipit
