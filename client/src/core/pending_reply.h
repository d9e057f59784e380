// A request whose reply has not come yet: who takes the reply frames, and how its waiter learns of the end.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "cache/runtime/sync.h"
#include "transport/frame_channel.h"

namespace incipit {

// Lives in the frame of the call that waits. One thread: the loop's.
class PendingReply {
 public:
  PendingReply(Loop* loop, wire::FrameType expected) : expected_(expected), done_(loop), settled_(loop) {}
  virtual ~PendingReply() = default;
  PendingReply(const PendingReply&) = delete;
  PendingReply& operator=(const PendingReply&) = delete;

  // Takes one reply frame of the expected type, with as much of its payload as it wants. An error means that the frame
  // makes no sense: the connection is then closed. Once abandoned() it must end soon and write nothing more.
  virtual Task<absl::Status> OnReply(FrameChannel* channel, const IncomingFrame& frame) = 0;

  // The node may rightly stay silent for long before it answers.
  virtual bool patient() const { return false; }

 protected:
  // The call is over, though a reply is still being delivered.
  bool abandoned() const { return abandoned_; }

 private:
  friend class ShardConnection;
  void Reset() {
    done_.Clear();
    settled_.Clear();
    status_ = absl::OkStatus();
    retry_after_us_ = 0;
    abandoned_ = delivering_ = answered_ = false;
  }
  void Finish(absl::Status status) {
    status_ = std::move(status);
    done_.Set();
  }

  wire::FrameType expected_;
  Event done_;
  Event settled_;  // delivery ended after the call was abandoned
  absl::Status status_;
  uint32_t retry_after_us_ = 0;
  bool delivering_ = false;
  bool abandoned_ = false;
  bool answered_ = false;  // some reply frame was delivered
};

// The reply of a request that has a single one and no payload.
template <typename Message>
class SingleReply : public PendingReply {
 public:
  using PendingReply::PendingReply;
  Task<absl::Status> OnReply(FrameChannel*, const IncomingFrame& frame) override {
    absl::StatusOr<Message> message = Message::Decode(frame.meta);
    if (!message.ok()) co_return message.status();
    value_ = *std::move(message);
    co_return absl::OkStatus();
  }
  Message& value() { return value_; }

 private:
  Message value_;
};

// The reply of a request that is only acknowledged.
class EmptyReply : public PendingReply {
 public:
  using PendingReply::PendingReply;
  Task<absl::Status> OnReply(FrameChannel*, const IncomingFrame&) override { co_return absl::OkStatus(); }
};

}  // namespace incipit
