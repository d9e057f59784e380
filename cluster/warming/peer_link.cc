#include "cluster/warming/peer_link.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "client/src/core/ask.h"
#include "client/src/core/handshake.h"
#include "transport/wire/auth_messages.h"
#include "transport/wire/codec_feature.h"
#include "transport/wire/node_messages.h"

namespace incipit {
namespace {

constexpr uint64_t kPeerId = 4;

// The meta of the one reply that has no payload.
class MetaSink : public ReplySink {
 public:
  Task<absl::Status> OnReply(FrameChannel*, const IncomingFrame* frame) override {
    meta.assign(frame->meta.begin(), frame->meta.end());
    co_return absl::OkStatus();
  }
  std::vector<uint8_t> meta;
};

}  // namespace

Task<absl::StatusOr<std::unique_ptr<PeerLink>>> PeerLink::Connect(const PeerEnvironment* env, std::string address,
                                                                  uint16_t shard, int64_t deadline_ns) {
  auto connecting = env->connector->Connect(std::move(address), deadline_ns);
  absl::StatusOr<std::unique_ptr<Stream>> stream = co_await connecting;
  if (!stream.ok()) co_return stream.status();
  std::unique_ptr<PeerLink> link(new PeerLink(env, *std::move(stream)));
  Task<absl::Status> greeting = link->Greet(shard, deadline_ns);
  const absl::Status greeted = co_await greeting;
  link->CountBytes();
  if (!greeted.ok()) {
    link->Close();
    co_return greeted;
  }
  co_return link;
}

void PeerLink::CountBytes() {
  if (env_->counters == nullptr) return;
  PeerCounters::LaneBytes& lane = env_->counters->lane(channel_.stream()->lane());
  lane.received += channel_.bytes_received() - std::exchange(counted_received_, channel_.bytes_received());
  lane.sent += channel_.bytes_sent() - std::exchange(counted_sent_, channel_.bytes_sent());
}

Task<absl::Status> PeerLink::Greet(uint16_t shard, int64_t deadline_ns) {
  HandshakeRequest request;
  request.client_id = env_->settings.node_id;
  request.tenant = env_->settings.tenant;
  request.client_name = "incipit-node";
  request.key = env_->settings.key;
  int64_t left_ns = std::max<int64_t>(1, deadline_ns - env_->loop->NowNs());
  constexpr uint64_t kFeatures = wire::kFeatureNodes | wire::kFeatureSealedCodecs;
  auto greeting = SayHello(env_->loop, env_->random, &channel_, &request, shard, kFeatures, left_ns, &epoch_);
  absl::StatusOr<wire::HelloReply> hello = co_await greeting;
  if (!hello.ok()) co_return hello.status();
  hello_ = *std::move(hello);
  if ((hello_.features & wire::kFeatureNodes) == 0) {
    co_return absl::FailedPreconditionError(
        absl::StrCat(channel_.PeerName(), ": its release gives no blocks to other nodes"));
  }
  Question question{.type = wire::FrameType::kPeer,
                    .request_id = kPeerId,
                    .epoch = epoch_,
                    .expected = {wire::FrameType::kPeerReply}};
  wire::Peer{.node_id = env_->settings.node_id}.Encode(&question.meta);
  left_ns = std::max<int64_t>(1, deadline_ns - env_->loop->NowNs());
  auto asking = Ask(env_->loop, &channel_, &question, left_ns);
  const absl::StatusOr<IncomingFrame> answer = co_await asking;
  co_return answer.status();
}

Task<absl::StatusOr<uint32_t>> PeerLink::Open(const NamespaceTable::Info* name_space, int64_t deadline_ns) {
  std::string framed(AsText(name_space->framed));
  const auto found = opened_.find(framed);
  if (found != opened_.end()) co_return found->second;
  if (!name_space->layout.has_value()) {
    co_return absl::FailedPreconditionError(
        absl::StrCat("nobody has opened the namespace of model '", name_space->identity.model, "' since the start"));
  }
  PeerRequest request{wire::FrameType::kOpenShared, wire::FrameType::kOpenNamespaceReply, {}, {}};
  wire::OpenShared{
      .owner = name_space->identity.tenant, .model = name_space->identity.model, .layout = name_space->layout->Encode()}
      .Encode(&request.meta);
  MetaSink sink;
  Task<absl::Status> asking = Exchange(&request, &sink, deadline_ns);
  CO_RETURN_IF_ERROR(co_await asking);
  const absl::StatusOr<wire::OpenNamespaceReply> opened = wire::OpenNamespaceReply::Decode(sink.meta);
  if (!opened.ok()) {
    Close();
    co_return opened.status();
  }
  opened_.emplace(std::move(framed), opened->namespace_id);
  co_return opened->namespace_id;
}

Task<absl::Status> PeerLink::TakeReplies(const PeerRequest* request, ReplySink* sink, uint64_t request_id) {
  while (true) {
    Task<absl::StatusOr<IncomingFrame>> receiving = channel_.Receive();
    const absl::StatusOr<IncomingFrame> frame = co_await receiving;
    if (!frame.ok()) {
      broken_ = true;
      co_return frame.status();
    }
    if (frame->header.type == wire::FrameType::kError) {
      const absl::StatusOr<wire::Error> error = wire::Error::Decode(frame->meta);
      if (!error.ok() || frame->header.request_id != request_id) broken_ = true;
      if (!error.ok()) co_return error.status();
      co_return absl::Status(error->code, absl::StrCat(channel_.PeerName(), " says: ", error->message));
    }
    if (frame->header.request_id != request_id || frame->header.type != request->reply) {
      broken_ = true;
      co_return absl::DataLossError(absl::StrCat(
          channel_.PeerName(), ": expected ", wire::FrameTypeName(request->reply), " to request ", request_id,
          ", found ", wire::FrameTypeName(frame->header.type), " to request ", frame->header.request_id));
    }
    Task<absl::Status> taking = sink->OnReply(&channel_, &*frame);
    const absl::Status taken = co_await taking;
    if (!taken.ok()) {
      broken_ = true;
      co_return taken;
    }
    if ((frame->header.flags & wire::kFrameFlagLast) != 0) co_return absl::OkStatus();
  }
}

Task<absl::Status> PeerLink::Exchange(const PeerRequest* request, ReplySink* sink, int64_t deadline_ns) {
  Event finished(env_->loop);
  TaskScope scope(env_->loop);
  scope.Spawn(CloseAt(&channel_, &finished, deadline_ns));
  wire::FrameHeader header;
  header.type = request->type;
  header.request_id = next_id_++;
  header.epoch = epoch_;
  Task<absl::Status> sending = channel_.Send(header, request->meta, request->payload);
  absl::Status status = co_await sending;
  if (status.ok()) {
    Task<absl::Status> taking = TakeReplies(request, sink, header.request_id);
    status = co_await taking;
  } else {
    broken_ = true;
  }
  if (absl::IsCancelled(status)) {
    status = absl::UnavailableError(
        absl::StrCat(channel_.PeerName(), ": no ", wire::FrameTypeName(request->reply), " in time"));
  }
  finished.Set();
  co_await scope.Join();
  CountBytes();
  if (broken_) channel_.Close();
  co_return status;
}

}  // namespace incipit
