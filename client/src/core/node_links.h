// One node as its clients see it: a connection to each of its shards, and which of them holds a key.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "client/src/core/links.h"

namespace incipit {

// One thread: the loop's. Start(), and Stop() before destroying it. The first connection goes to whichever shard
// answers and tells how many there are; the others follow at once. If the node comes back with other shards, all is
// made anew.
class NodeLinks final : public Links {
 public:
  NodeLinks(Loop* loop, Connector* connector, Random* random, ShardConnectionOptions options, ClientCounters* counters);

  void Start() override;
  Task<void> Stop() override;

  // The shards, once they are known; they stay known while the node is away. Unavailable, DeadlineExceeded.
  Task<absl::StatusOr<std::shared_ptr<ShardSet>>> Shards(int64_t deadline_ns) override;
  // OK once every shard is connected. Otherwise the first thing that was wrong.
  Task<absl::Status> WaitAllReady(int64_t deadline_ns) override;
  std::vector<NodeInfo> Nodes() const override { return {info()}; }
  uint64_t epoch() const override { return 0; }
  NodeInfo info() const;
  // What Shards() would give at once; null until the node has answered.
  const std::shared_ptr<ShardSet>& current() const { return shards_; }

 private:
  std::shared_ptr<ShardConnection> MakeConnection(uint16_t shard);
  void StartSeed();
  absl::Status OnHello(ShardConnection* connection, const wire::HelloReply& hello);
  void OnRefused();
  bool MayStartOver() const;
  void StartOver();
  Task<void> Retire(std::shared_ptr<ShardConnection> connection);

  Loop* loop_;
  Connector* connector_;
  Random* random_;
  ShardConnectionOptions options_;
  ClientCounters* counters_;
  std::shared_ptr<ShardConnection> seed_;
  std::shared_ptr<ShardSet> shards_;  // null until the node has answered once
  wire::HelloReply hello_;            // of the shards_ in use
  int64_t started_over_ns_ = 0;
  bool stopping_ = false;
  TaskScope retiring_;
};

}  // namespace incipit
