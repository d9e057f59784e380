// A call context and shards that no call is made to, for tests of how requests are split.
#pragma once

#include <memory>

#include "cache/runtime/sim_loop.h"
#include "client/src/core/call_context.h"

namespace incipit {

// `group_bytes`: a block of that many bytes in `segments` segments; over 64 MiB it comes in parts.
inline GroupSpec GroupOf(std::string name, uint32_t segments, uint32_t segment_bytes) {
  return {.name = std::move(name),
          .rule = HitRule::kCheckpoint,
          .block_tokens = 16,
          .layers = segments,
          .bytes_per_entry = segment_bytes};
}

struct PlanFixture {
  PlanFixture(Layout layout, uint16_t shard_count) : random(MakeSeededRandom(1)) {
    options.layout = std::move(layout);
    context.loop = &loop;
    context.options = &options;
    context.framed_namespace = FrameNamespace({"default", "m", options.layout.Fingerprint()});
    wire::HelloReply hello;
    hello.shard_count = shard_count;
    shards = std::make_unique<ShardSet>(hello);
    for (uint16_t shard = 0; shard < shard_count; ++shard) {
      ShardConnectionOptions connection;
      connection.shard = shard;
      shards->connections.push_back(
          std::make_shared<ShardConnection>(&loop, nullptr, random.get(), connection, &counters));
    }
  }
  SimLoop loop;
  std::unique_ptr<Random> random;
  ClientOptions options;
  ClientCounters counters;
  CallContext context;
  std::unique_ptr<ShardSet> shards;
};

}  // namespace incipit
