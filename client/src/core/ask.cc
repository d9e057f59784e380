#include "client/src/core/ask.h"

#include <fmt/format.h>

#include <algorithm>

namespace incipit {
namespace {

absl::Status Judge(const FrameChannel& channel, const Question& question, const IncomingFrame& frame) {
  if (frame.header.type == wire::FrameType::kError) {
    const absl::StatusOr<wire::Error> error = wire::Error::Decode(frame.meta);
    if (!error.ok()) return error.status();
    return {error->code, fmt::format("{} says: {}", channel.PeerName(), error->message)};
  }
  const bool expected = std::ranges::find(question.expected, frame.header.type) != question.expected.end();
  if (expected && frame.header.request_id == question.request_id && frame.header.payload_bytes == 0) {
    return absl::OkStatus();
  }
  return absl::DataLossError(fmt::format("{}: expected {} to request {}, found {} to request {}", channel.PeerName(),
                                         wire::FrameTypeName(question.expected.front()), question.request_id,
                                         wire::FrameTypeName(frame.header.type), frame.header.request_id));
}

}  // namespace

Task<void> CloseAt(FrameChannel* channel, Event* finished, int64_t deadline_ns) {
  const bool in_time = co_await finished->WaitUntil(deadline_ns);
  if (!in_time) channel->Close();
}

Task<absl::StatusOr<IncomingFrame>> Ask(Loop* loop, FrameChannel* channel, const Question* question,
                                        int64_t timeout_ns) {
  Event finished(loop);
  TaskScope scope(loop);
  scope.Spawn(CloseAt(channel, &finished, loop->NowNs() + timeout_ns));
  wire::FrameHeader header;
  header.type = question->type;
  header.request_id = question->request_id;
  header.epoch = question->epoch;
  absl::StatusOr<IncomingFrame> result = absl::UnavailableError("");
  const absl::Status sent = co_await channel->Send(header, question->meta, {});
  if (sent.ok()) {
    result = co_await channel->Receive();
  } else {
    result = sent;
  }
  if (result.ok()) {
    const absl::Status judged = Judge(*channel, *question, *result);
    if (!judged.ok()) result = judged;
  }
  if (absl::IsCancelled(result.status())) {
    result =
        absl::UnavailableError(fmt::format("{}: no {} within {} ms", channel->PeerName(),
                                           wire::FrameTypeName(question->expected.front()), timeout_ns / 1'000'000));
  }
  finished.Set();
  co_await scope.Join();
  co_return result;
}

}  // namespace incipit
