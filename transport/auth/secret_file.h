// Files that hold secrets: one secret each, or a node's tenants. They must not be open to others.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/auth/tenant_key.h"

namespace incipit {

inline constexpr size_t kMaxSecretFileBytes = 1024;

// The contents of a file that only its owner and its group may read and only its owner may write. `what` names the
// file in messages ("--tenants"). The permissions are those of the file that was opened, so a swapped name changes
// nothing.
//   NotFound; PermissionDenied: others could read or change it, or we cannot read it, with what to do;
//   InvalidArgument: not a regular file, or over `max_bytes`. The result is the caller's to Wipe().
absl::StatusOr<std::string> ReadPrivateFile(const std::string& what, const std::string& path, size_t max_bytes);

// A file with one secret in hexadecimal digits (DecodeSecret). Errors as ReadPrivateFile, and InvalidArgument.
absl::StatusOr<std::vector<uint8_t>> ReadSecret(const std::string& what, const std::string& path);
absl::StatusOr<TenantKey> ReadSecretFile(const std::string& what, const std::string& path);

// A file with a password of Redis or of its sentinels, without the white space around it; empty if `path` is. Errors as
// ReadPrivateFile, at most kMaxSecretFileBytes.
absl::StatusOr<std::string> ReadPasswordFile(const std::string& what, const std::string& path);

// Makes a file, mode 0600, with a new random secret of 32 bytes in it. AlreadyExists: never overwrites one.
absl::Status WriteNewSecretFile(const std::string& path);

}  // namespace incipit
