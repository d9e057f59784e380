// Which server is the master, by what sentinels say. Pure. docs/membership.md, "Sentinel".
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "cluster/redis/redis_address.h"
#include "cluster/redis/redis_connection.h"

namespace incipit {

struct RedisMaster {
  RedisPlace place;
  uint64_t failovers = 0;  // Sentinel's config-epoch: rises with each failover, and no two have the same
  friend bool operator==(const RedisMaster&, const RedisMaster&) = default;
};

// The answers of one sentinel to SENTINEL MASTER, SENTINEL GET-MASTER-ADDR-BY-NAME and SENTINEL MASTER again, in this
// order, as one. Unavailable: there was a failover in between, ask again. DataLoss: no answers of a sentinel.
absl::StatusOr<RedisMaster> ReadMaster(const RedisReply& before, const RedisReply& place, const RedisReply& after);

// What to hold to be the master, after so many of `sentinels` answered. The latest failover counts. Back to an earlier
// one (sentinels that were set up anew) only if most of them answered: a few may have missed a failover.
std::optional<RedisMaster> ChooseMaster(const std::optional<RedisMaster>& held, std::span<const RedisMaster> answers,
                                        size_t sentinels);

}  // namespace incipit
