#include "client/src/core/handshake.h"

#include <fmt/format.h>

#include "cache/base/status_macros.h"
#include "client/src/core/ask.h"
#include "client/src/core/credentials.h"
#include "transport/wire/claim_messages.h"
#include "transport/wire/codec_feature.h"
#include "transport/wire/shared_messages.h"

namespace incipit {
namespace {

constexpr uint64_t kHelloId = 1, kOpenId = 2, kProofId = 3;

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

// Hello, and the proof of credentials if the client has some.
Task<absl::StatusOr<wire::HelloReply>> Greet(Loop* loop, Random* random, FrameChannel* channel,
                                             const HandshakeRequest* request, const wire::Hello* hello,
                                             int64_t step_timeout_ns, uint64_t* epoch) {
  Question question{
      .type = wire::FrameType::kHello, .request_id = kHelloId, .expected = {wire::FrameType::kHelloReply}};
  if (request->key != nullptr) question.expected = {wire::FrameType::kChallenge, wire::FrameType::kHelloReply};
  hello->Encode(&question.meta);
  absl::StatusOr<IncomingFrame> frame = co_await Ask(loop, channel, &question, step_timeout_ns);
  if (!frame.ok()) co_return frame.status();
  *epoch = frame->header.epoch;
  if (request->key == nullptr) co_return wire::HelloReply::Decode(frame->meta);
  if (frame->header.type != wire::FrameType::kChallenge) {
    co_return absl::FailedPreconditionError(
        fmt::format("{} asks for no credentials, so it proves nothing of itself either: start it with --tenants, or "
                    "give this client no secret",
                    channel->PeerName()));
  }
  CredentialExchange credentials(request->key.get(), std::move(question.meta));
  const absl::StatusOr<wire::Proof> proof = credentials.Answer(frame->meta, random);
  if (!proof.ok()) co_return proof.status();
  question = {.type = wire::FrameType::kProof, .request_id = kProofId, .expected = {wire::FrameType::kProofReply}};
  proof->Encode(&question.meta);
  frame = co_await Ask(loop, channel, &question, step_timeout_ns);
  if (!frame.ok()) co_return frame.status();
  *epoch = frame->header.epoch;
  absl::StatusOr<wire::HelloReply> reply = credentials.Verify(frame->meta);
  if (absl::IsUnauthenticated(reply.status())) {
    co_return absl::UnauthenticatedError(
        fmt::format("{}: {}", channel->PeerName(), std::string(reply.status().message())));
  }
  co_return reply;
}

}  // namespace

Task<absl::StatusOr<wire::HelloReply>> SayHello(Loop* loop, Random* random, FrameChannel* channel,
                                                const HandshakeRequest* request, uint16_t shard, uint64_t features,
                                                int64_t step_timeout_ns, uint64_t* epoch) {
  wire::Hello hello;
  hello.shard = shard;
  hello.features = features;
  hello.client_id = request->client_id;
  hello.tenant = request->tenant;
  hello.client_name = request->client_name;
  if (request->key != nullptr) hello.features |= wire::kFeatureCredentials;
  absl::StatusOr<wire::HelloReply> reply =
      co_await Greet(loop, random, channel, request, &hello, step_timeout_ns, epoch);
  if (!reply.ok()) co_return reply.status();
  CO_RETURN_IF_ERROR(CheckHello(hello, *reply, channel->PeerName()));
  co_return reply;
}

Task<absl::StatusOr<AgreedSession>> Handshake(Loop* loop, Random* random, FrameChannel* channel,
                                              const HandshakeRequest* request, uint16_t shard, int64_t step_timeout_ns,
                                              const std::function<absl::Status(const wire::HelloReply&)>* on_hello) {
  AgreedSession session;
  uint64_t features = wire::kFeatureClaims | wire::kFeatureSealedCodecs | request->features;
  if (channel->stream()->CarriesDescriptors()) features |= wire::kFeatureSharedRegions;
  absl::StatusOr<wire::HelloReply> hello_reply =
      co_await SayHello(loop, random, channel, request, shard, features, step_timeout_ns, &session.epoch);
  if (!hello_reply.ok()) co_return hello_reply.status();
  session.hello = *std::move(hello_reply);
  if (*on_hello) CO_RETURN_IF_ERROR((*on_hello)(session.hello));

  Question question{.type = wire::FrameType::kOpenNamespace,
                    .request_id = kOpenId,
                    .epoch = session.epoch,
                    .expected = {wire::FrameType::kOpenNamespaceReply}};
  if (request->owner.empty()) {
    request->open.Encode(&question.meta);
  } else {
    question.type = wire::FrameType::kOpenShared;
    wire::OpenShared{.owner = request->owner, .model = request->open.model, .layout = request->open.layout}.Encode(
        &question.meta);
  }
  absl::StatusOr<IncomingFrame> frame = co_await Ask(loop, channel, &question, step_timeout_ns);
  if (!frame.ok()) co_return frame.status();
  const absl::StatusOr<wire::OpenNamespaceReply> opened = wire::OpenNamespaceReply::Decode(frame->meta);
  if (!opened.ok()) co_return opened.status();
  session.epoch = frame->header.epoch;
  session.namespace_id = opened->namespace_id;
  co_return session;
}

}  // namespace incipit
