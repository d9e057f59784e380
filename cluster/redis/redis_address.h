// Where the cluster's Redis is, and which cluster of those in it: docs/membership.md, "From Redis".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace incipit {

inline constexpr size_t kMaxClusterNameBytes = 64;
inline constexpr size_t kMaxRedisAddressBytes = 512;
inline constexpr size_t kMaxSentinels = 16;
inline constexpr size_t kMaxMasterNameBytes = 64;
inline constexpr size_t kMaxRedisHostBytes = 255;

// A server of Redis, or a sentinel.
struct RedisPlace {
  std::string host;
  uint16_t port = 0;

  std::string ToString() const;  // "host:port", an IPv6 host in brackets
  friend bool operator==(const RedisPlace&, const RedisPlace&) = default;
};

// One of `host`, `socket_path` and `sentinels` says where the server is; the others are empty.
struct RedisAddress {
  std::string host;
  uint16_t port = 6379;  // with a host
  std::string socket_path;
  std::vector<RedisPlace> sentinels;  // 1 to kMaxSentinels, which know where the server called `master` is
  std::string master;
  uint16_t database = 0;
  std::string cluster;  // 1 to kMaxClusterNameBytes

  // "redis://HOST[:PORT][/DB]?cluster=NAME" (an IPv6 HOST in brackets), "redis+unix:///PATH?cluster=NAME" or
  // "redis+sentinel://HOST[:PORT][,HOST[:PORT]...]/MASTER[/DB]?cluster=NAME". InvalidArgument says what is missing.
  static absl::StatusOr<RedisAddress> Parse(std::string_view text);
  static bool IsOne(std::string_view text);  // by its beginning alone
  // The same cluster and database, of the server at `place`.
  RedisAddress At(const RedisPlace& place) const;
  // For messages: never holds a password.
  std::string ToString() const;
  friend bool operator==(const RedisAddress&, const RedisAddress&) = default;
};

}  // namespace incipit
