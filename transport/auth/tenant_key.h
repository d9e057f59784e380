// What is kept of a tenant's secret: a key of fixed length derived from it, so that every tenant's proof costs the
// same, whatever the length of the secret.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit {

inline constexpr size_t kMinSecretBytes = 16;
inline constexpr size_t kMaxSecretBytes = 64;

using Mac = std::array<uint8_t, 32>;

// Overwrites memory in a way that the compiler does not leave out.
void Wipe(void* memory, size_t bytes);

// Value type. Wiped when it ends; never printed. Any thread may use a const one.
class TenantKey {
 public:
  // HMAC-SHA256 of the secret under a fixed tag. REQUIRES: not empty (the limits above are for secrets from outside).
  explicit TenantKey(ByteView secret);
  TenantKey(const TenantKey&) = default;
  TenantKey& operator=(const TenantKey&) = default;
  ~TenantKey() { Wipe(key_.data(), key_.size()); }

  // HMAC-SHA256 of `message` under this key.
  Mac MacOf(ByteView message) const;

 private:
  std::array<uint8_t, 32> key_;
};

// HMAC-SHA256.
Mac HmacSha256(ByteView key, ByteView message);
// Takes the same time wherever they differ.
bool SameMac(const Mac& a, const Mac& b);

// A secret written as hexadecimal digits, blanks around it allowed. InvalidArgument says what is wrong, never what was
// found. The result is the caller's to Wipe().
absl::StatusOr<std::vector<uint8_t>> DecodeSecret(std::string_view text);

}  // namespace incipit
