#include "bench/common/wait_written.h"

#include <fmt/format.h>
#include <unistd.h>

#include "bench/common/stopwatch.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

constexpr useconds_t kPollUs = 5000;

uint64_t ValueOf(const ShardStats& shard, const std::string& name) {
  for (const auto& [key, value] : shard.values) {
    if (key == name) return value;
  }
  return 0;
}

// Polls until no shard has anything left by `left_of`, which counts what it waits for.
template <typename LeftOf>
absl::Status WaitFor(Client* client, uint32_t timeout_ms, const char* what, LeftOf left_of) {
  const Stopwatch watch;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<ShardStats> shards, client->Stats());
    uint64_t left = shards.size() < client->node().shard_count ? 1 : 0;
    for (const ShardStats& shard : shards) left += left_of(shard);
    if (left == 0) return absl::OkStatus();
    if (watch.Seconds() * 1e3 > timeout_ms) {
      return absl::DeadlineExceededError(fmt::format("after {} ms the node still had {} {}", timeout_ms, left, what));
    }
    usleep(kPollUs);
  }
}

}  // namespace

absl::Status WaitUntilWritten(Client* client, uint32_t timeout_ms) {
  return WaitFor(client, timeout_ms, "blocks or bytes to write to NVMe", [](const ShardStats& shard) {
    return ValueOf(shard, "dirty_blocks") + ValueOf(shard, "writing_bytes");
  });
}

absl::Status WaitUntilIndexed(Client* client, uint32_t timeout_ms) {
  return WaitFor(client, timeout_ms, "shards to index",
                 [](const ShardStats& shard) { return ValueOf(shard, "recovered") == 1 ? 0 : 1; });
}

absl::StatusOr<uint64_t> SumOfCounter(Client* client, const std::string& name) {
  ASSIGN_OR_RETURN(const std::vector<ShardStats> shards, client->Stats());
  uint64_t sum = 0;
  for (const ShardStats& shard : shards) sum += ValueOf(shard, name);
  return sum;
}

}  // namespace incipit::bench
