// Where the cluster's Redis is, and which cluster of those in it: docs/membership.md, "From Redis".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace incipit {

inline constexpr size_t kMaxClusterNameBytes = 64;
inline constexpr size_t kMaxRedisAddressBytes = 512;

struct RedisAddress {
  std::string host;  // empty with a Unix socket
  uint16_t port = 6379;
  std::string socket_path;  // empty with a host
  uint16_t database = 0;
  std::string cluster;  // 1 to kMaxClusterNameBytes

  // "redis://HOST[:PORT][/DB]?cluster=NAME" (an IPv6 HOST in brackets) or "redis+unix:///PATH?cluster=NAME".
  // InvalidArgument says what is missing.
  static absl::StatusOr<RedisAddress> Parse(std::string_view text);
  // For messages: never holds a password.
  std::string ToString() const;
  friend bool operator==(const RedisAddress&, const RedisAddress&) = default;
};

}  // namespace incipit
