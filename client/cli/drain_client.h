// A session with one node for draining it: connects, and asks one question at a time.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cache/runtime/uring_loop.h"
#include "cache/seams/random.h"
#include "client/cli/common_options.h"
#include "transport/frame_channel.h"
#include "transport/lane_connector.h"
#include "transport/wire/node_messages.h"

namespace incipit {

// One thread; every call blocks for options.timeout_ms at most (a handshake: for each of its steps).
class DrainClient {
 public:
  // Unavailable: nobody answers. FailedPrecondition: the node's release cannot be drained. Unauthenticated and others:
  // the node's refusal.
  static absl::StatusOr<std::unique_ptr<DrainClient>> Connect(const ConnectOptions& options,
                                                              const std::string& address);
  ~DrainClient();

  // Unavailable: the connection broke; this client is of no further use. Otherwise what the node says.
  absl::StatusOr<wire::DrainReply> Ask(const wire::Drain& drain);

 private:
  explicit DrainClient(std::unique_ptr<UringLoop> loop);
  Task<absl::Status> Greet(const ConnectOptions* options, std::string address);
  Task<absl::StatusOr<wire::DrainReply>> AskOnce(wire::Drain drain);

  std::unique_ptr<UringLoop> loop_;
  std::unique_ptr<Random> random_;
  LaneConnector connector_;
  std::unique_ptr<FrameChannel> channel_;
  int64_t step_ns_ = 0;
  uint64_t epoch_ = 0;
  uint64_t next_id_ = 10;
};

}  // namespace incipit
