#include "cluster/redis/master_choice.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

absl::Status Strange(const char* what) {
  return absl::DataLossError(absl::StrCat("sentinel: ", what, "; is it a sentinel, of Redis 5 or later?"));
}

// "config-epoch" among the names and values of SENTINEL MASTER.
absl::StatusOr<uint64_t> FailoversOf(const RedisReply& master) {
  for (size_t i = 0; i + 1 < master.list.size(); i += 2) {
    if (master.list[i] != "config-epoch") continue;
    uint64_t failovers = 0;
    if (absl::SimpleAtoi(master.list[i + 1], &failovers)) return failovers;
    return Strange("config-epoch is no number");
  }
  return Strange("no config-epoch in its answer");
}

}  // namespace

absl::StatusOr<RedisMaster> ReadMaster(const RedisReply& before, const RedisReply& place, const RedisReply& after) {
  RedisMaster master;
  ASSIGN_OR_RETURN(master.failovers, FailoversOf(before));
  ASSIGN_OR_RETURN(const uint64_t failovers_after, FailoversOf(after));
  if (master.failovers != failovers_after) return absl::UnavailableError("sentinel: a failover just now");
  if (place.list.size() != 2) return Strange("it does not say where the master is");
  uint32_t port = 0;
  master.place.host = place.list[0];
  if (master.place.host.empty() || master.place.host.size() > kMaxRedisHostBytes) return Strange("a host of no name");
  if (!absl::SimpleAtoi(place.list[1], &port) || port == 0 || port > UINT16_MAX) return Strange("a port of no number");
  master.place.port = static_cast<uint16_t>(port);
  return master;
}

std::optional<RedisMaster> ChooseMaster(const std::optional<RedisMaster>& held, std::span<const RedisMaster> answers,
                                        size_t sentinels) {
  if (answers.empty()) return held;
  const auto latest = std::max_element(answers.begin(), answers.end(), [](const RedisMaster& a, const RedisMaster& b) {
    return a.failovers < b.failovers;
  });
  if (!held.has_value() || latest->failovers > held->failovers) return *latest;
  const bool most_answered = 2 * answers.size() > sentinels;
  if (latest->failovers < held->failovers) return most_answered ? *latest : held;
  // Two that name one failover's master differently, as a name and as a number: whichever is held stays.
  return std::find(answers.begin(), answers.end(), *held) != answers.end() ? held : *latest;
}

}  // namespace incipit
