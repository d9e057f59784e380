#include "client/src/core/handshake.h"

#include <fmt/format.h>

#include "cache/base/status_macros.h"
#include "transport/wire/shared_messages.h"

namespace incipit {
namespace {

// One request and its one reply, both without payload. `T` is the reply's message.
template <typename T>
Task<absl::StatusOr<T>> Ask(Loop* loop, FrameChannel* channel, wire::FrameHeader header,
                            const std::vector<uint8_t>* meta, wire::FrameType expected, int64_t timeout_ns,
                            uint64_t* epoch) {
  Event finished(loop);
  TaskScope scope(loop);
  scope.Spawn(CloseAt(channel, &finished, loop->NowNs() + timeout_ns));
  absl::StatusOr<T> result = absl::UnavailableError("");
  absl::Status sent = co_await channel->Send(header, *meta, {});
  if (sent.ok()) {
    absl::StatusOr<IncomingFrame> frame = co_await channel->Receive();
    if (!frame.ok()) {
      result = frame.status();
    } else if (frame->header.type == wire::FrameType::kError) {
      absl::StatusOr<wire::Error> error = wire::Error::Decode(frame->meta);
      result = error.ok() ? absl::Status(error->code, fmt::format("{} says: {}", channel->PeerName(), error->message))
                          : error.status();
    } else if (frame->header.type != expected || frame->header.request_id != header.request_id) {
      result = absl::DataLossError(fmt::format("{}: expected {} to request {}, found {} to request {}",
                                               channel->PeerName(), wire::FrameTypeName(expected), header.request_id,
                                               wire::FrameTypeName(frame->header.type), frame->header.request_id));
    } else {
      result = T::Decode(frame->meta);
      *epoch = frame->header.epoch;
    }
  } else {
    result = sent;
  }
  if (absl::IsCancelled(result.status())) {
    result = absl::UnavailableError(fmt::format("{}: no {} within {} ms", channel->PeerName(),
                                                wire::FrameTypeName(expected), timeout_ns / 1'000'000));
  }
  finished.Set();
  co_await scope.Join();
  co_return result;
}

absl::Status CheckHello(const wire::Hello& hello, const wire::HelloReply& reply, const std::string& peer) {
  if (reply.version < hello.min_version || reply.version > hello.max_version) {
    return absl::FailedPreconditionError(fmt::format("{} chose protocol version {}, this client offered {} to {}", peer,
                                                     reply.version, hello.min_version, hello.max_version));
  }
  if (hello.shard != wire::kAnyShard && reply.shard != hello.shard) {
    return absl::DataLossError(
        fmt::format("{}: asked for shard {}, shard {} answered", peer, hello.shard, reply.shard));
  }
  return absl::OkStatus();
}

}  // namespace

Task<void> CloseAt(FrameChannel* channel, Event* finished, int64_t deadline_ns) {
  const bool in_time = co_await finished->WaitUntil(deadline_ns);
  if (!in_time) channel->Close();
}

Task<absl::StatusOr<AgreedSession>> Handshake(Loop* loop, FrameChannel* channel, const HandshakeRequest* request,
                                              uint16_t shard, int64_t step_timeout_ns,
                                              const std::function<absl::Status(const wire::HelloReply&)>* on_hello) {
  AgreedSession session;
  wire::Hello hello;
  hello.shard = shard;
  if (channel->stream()->CarriesDescriptors()) hello.features |= wire::kFeatureSharedRegions;
  hello.client_id = request->client_id;
  hello.tenant = request->tenant;
  hello.client_name = request->client_name;
  std::vector<uint8_t> meta;
  hello.Encode(&meta);
  wire::FrameHeader header;
  header.type = wire::FrameType::kHello;
  header.request_id = 1;
  absl::StatusOr<wire::HelloReply> hello_reply = co_await Ask<wire::HelloReply>(
      loop, channel, header, &meta, wire::FrameType::kHelloReply, step_timeout_ns, &session.epoch);
  if (!hello_reply.ok()) co_return hello_reply.status();
  CO_RETURN_IF_ERROR(CheckHello(hello, *hello_reply, channel->PeerName()));
  session.hello = *std::move(hello_reply);
  if (*on_hello) CO_RETURN_IF_ERROR((*on_hello)(session.hello));

  meta.clear();
  request->open.Encode(&meta);
  header.type = wire::FrameType::kOpenNamespace;
  header.request_id = 2;
  header.epoch = session.epoch;
  absl::StatusOr<wire::OpenNamespaceReply> opened = co_await Ask<wire::OpenNamespaceReply>(
      loop, channel, header, &meta, wire::FrameType::kOpenNamespaceReply, step_timeout_ns, &session.epoch);
  if (!opened.ok()) co_return opened.status();
  session.namespace_id = opened->namespace_id;
  co_return session;
}

}  // namespace incipit
