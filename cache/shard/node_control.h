// What an operator's session may have a whole node do. The shard only carries the words.
#pragma once

#include "absl/status/statusor.h"
#include "transport/wire/node_messages.h"

namespace incipit {

// Any thread; never blocks.
class NodeControl {
 public:
  virtual ~NodeControl() = default;
  // FailedPrecondition: the node cannot be drained, and why.
  virtual absl::StatusOr<wire::DrainReply> Drain(const wire::Drain& request) = 0;
};

}  // namespace incipit
