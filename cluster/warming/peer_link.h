// One connection of a shard to a shard of another node, as that node's peer. One request at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "cache/runtime/sync.h"
#include "cache/shard/namespace_table.h"
#include "cluster/warming/peer_environment.h"
#include "transport/frame_channel.h"
#include "transport/wire/messages.h"

namespace incipit {

struct PeerRequest {
  wire::FrameType type;
  wire::FrameType reply;
  std::vector<uint8_t> meta;
  std::vector<iovec> payload;  // memory that does not change until the request has ended
};

// Takes the replies of a request, one or more. Must take all of a reply's payload.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // An error means that the link is of no further use.
  virtual Task<absl::Status> OnReply(FrameChannel* channel, const IncomingFrame* frame) = 0;
};

// One thread: the loop's. `env` outlives it.
class PeerLink {
 public:
  // Connects, proves who it is, says that it is a node. Unavailable, DeadlineExceeded: nobody there in time.
  // FailedPrecondition: of a release that knows no peers. PermissionDenied, Unauthenticated: the credentials. What else
  // the lane says.
  static Task<absl::StatusOr<std::unique_ptr<PeerLink>>> Connect(const PeerEnvironment* env, std::string address,
                                                                 uint16_t shard, int64_t deadline_ns);

  // The number of a namespace on this connection; opens it the first time. FailedPrecondition: this shard does not know
  // its layout. Otherwise as Exchange.
  Task<absl::StatusOr<uint32_t>> Open(const NamespaceTable::Info* name_space, int64_t deadline_ns);
  // Until the last reply. Unavailable: the link broke, or the deadline came; it is broken() then. DataLoss: what came
  // makes no sense; the same. Otherwise what the other node's Error says.
  Task<absl::Status> Exchange(const PeerRequest* request, ReplySink* sink, int64_t deadline_ns);

  const wire::HelloReply& hello() const { return hello_; }
  // Which of the node's routes it goes by, for who made it (PeerRoutes).
  size_t route() const { return route_; }
  void set_route(size_t route) { route_ = route; }
  bool broken() const { return broken_; }
  void Close() {
    broken_ = true;
    channel_.Close();
  }

 private:
  PeerLink(const PeerEnvironment* env, std::unique_ptr<Stream> stream) : env_(env), channel_(std::move(stream)) {}
  Task<absl::Status> Greet(uint16_t shard, int64_t deadline_ns);
  void CountBytes();
  Task<absl::Status> TakeReplies(const PeerRequest* request, ReplySink* sink, uint64_t request_id);

  const PeerEnvironment* env_;
  FrameChannel channel_;
  wire::HelloReply hello_;
  uint64_t epoch_ = 0;
  uint64_t next_id_ = 10;  // those before are of the handshake
  uint64_t counted_received_ = 0, counted_sent_ = 0;
  size_t route_ = 0;
  bool broken_ = false;
  absl::flat_hash_map<std::string, uint32_t> opened_;  // by framed namespace
};

}  // namespace incipit
