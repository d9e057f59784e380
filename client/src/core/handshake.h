// The start of a connection: Hello, then OpenNamespace.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/runtime/sync.h"
#include "transport/frame_channel.h"
#include "transport/wire/messages.h"

namespace incipit {

struct HandshakeRequest {
  uint64_t client_id = 0;
  std::string tenant;
  std::string client_name;
  wire::OpenNamespace open;
};

// What is agreed on one connection.
struct AgreedSession {
  wire::HelloReply hello;
  uint32_t namespace_id = 0;
  uint64_t epoch = 0;
};

// Closes `channel` unless `finished` is set by the deadline. Judges after the loop has taken what had arrived by then,
// so that a caller who drives the loop rarely does not lose a connection that answered in time.
Task<void> CloseAt(FrameChannel* channel, Event* finished, int64_t deadline_ns);

// Unavailable: the connection broke or took over `step_timeout_ns` for a step. InvalidArgument and others: the node's
// own refusal. FailedPrecondition: versions do not meet. DataLoss: what came makes no sense. After an error the channel
// is of no further use. `on_hello` may refuse the node before a namespace is opened.
Task<absl::StatusOr<AgreedSession>> Handshake(Loop* loop, FrameChannel* channel, const HandshakeRequest* request,
                                              uint16_t shard, int64_t step_timeout_ns,
                                              const std::function<absl::Status(const wire::HelloReply&)>* on_hello);

}  // namespace incipit
