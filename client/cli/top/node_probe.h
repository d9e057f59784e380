// Asks all shards of one node for their numbers, again and again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cache/runtime/loop.h"
#include "cache/seams/random.h"
#include "client/cli/top/node_sample.h"
#include "client/src/core/handshake.h"
#include "transport/frame_channel.h"
#include "transport/stream.h"

namespace incipit {

// One thread: the loop's. Keeps a connection to each shard, makes those anew that broke.
class NodeProbe {
 public:
  // All must outlive the probe. `as`: tenant and credentials.
  NodeProbe(Loop* loop, Random* random, Connector* connector, const HandshakeRequest* as, std::string address)
      : loop_(loop), random_(random), connector_(connector), as_(as), address_(std::move(address)) {}
  ~NodeProbe();

  // Fills name, shards, activity and status of `sample` by `deadline_ns`. The status is ok if any shard answered.
  Task<void> Look(int64_t deadline_ns, NodeSample* sample);

 private:
  struct Link {
    std::unique_ptr<FrameChannel> channel;  // null: to be made
    uint64_t epoch = 0;
    bool tells_activity = false;
    uint64_t next_id = 10;
  };
  Task<absl::Status> Connect(uint16_t shard, int64_t deadline_ns);
  void CloseAll();
  Task<absl::Status> AskShard(uint16_t shard, int64_t deadline_ns, NodeSample* sample);
  Task<void> LookAt(uint16_t shard, int64_t deadline_ns, NodeSample* sample, absl::Status* failed);

  Loop* loop_;
  Random* random_;
  Connector* connector_;
  const HandshakeRequest* as_;
  const std::string address_;
  std::string name_;
  std::vector<Link> links_;  // by shard; empty before the first contact. Not resized while shards are asked
  bool stale_ = false;       // the node was started anew with another number of shards
};

}  // namespace incipit
