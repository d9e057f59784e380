// The reply of a request that is answered by one value per key, in the request's order.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "client/src/core/pending_reply.h"
#include "transport/wire/claim_messages.h"
#include "transport/wire/messages.h"

namespace incipit {

inline size_t AnswerCount(const wire::MatchReply& reply) { return reply.presence.size(); }
inline size_t AnswerCount(const wire::ClaimReply& reply) { return reply.states.size(); }
inline size_t AnswerCount(const wire::StatusReply& reply) { return reply.statuses.size(); }

// A reply with another number of answers makes no sense, like one that does not decode.
template <typename Message>
class CountedReply : public PendingReply {
 public:
  CountedReply(Loop* loop, wire::FrameType expected, size_t keys) : PendingReply(loop, expected), keys_(keys) {}
  Task<absl::Status> OnReply(FrameChannel* channel, const IncomingFrame& frame) override {
    absl::StatusOr<Message> message = Message::Decode(frame.meta);
    if (!message.ok()) co_return message.status();
    if (AnswerCount(*message) != keys_) {
      co_return absl::DataLossError(fmt::format("{}: {} answers in {} to {} keys", channel->PeerName(),
                                                AnswerCount(*message), wire::FrameTypeName(frame.header.type), keys_));
    }
    value_ = *std::move(message);
    co_return absl::OkStatus();
  }
  const Message& value() const { return value_; }

 private:
  size_t keys_;
  Message value_;
};

}  // namespace incipit
