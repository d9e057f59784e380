// One request and its one reply, both without payload, before a connection is in use.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/runtime/sync.h"
#include "transport/frame_channel.h"
#include "transport/wire/messages.h"

namespace incipit {

// Closes `channel` unless `finished` is set by the deadline. Judges after the loop has taken what had arrived by then,
// so that a caller who drives the loop rarely does not lose a connection that answered in time.
Task<void> CloseAt(FrameChannel* channel, Event* finished, int64_t deadline_ns);

struct Question {
  wire::FrameType type;
  uint64_t request_id = 0;
  uint64_t epoch = 0;
  std::vector<uint8_t> meta;
  std::vector<wire::FrameType> expected;  // types that may answer
};

// Gives the reply, whose meta is valid until the channel's next Receive. Unavailable: the connection broke, or no reply
// within the timeout. DataLoss: an answer of another type or to another request. Otherwise what the node's Error says.
Task<absl::StatusOr<IncomingFrame>> Ask(Loop* loop, FrameChannel* channel, const Question* question,
                                        int64_t timeout_ns);

}  // namespace incipit
