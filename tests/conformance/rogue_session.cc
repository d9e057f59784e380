#include "tests/conformance/rogue_session.h"

#include <algorithm>

#include "cache/base/status_macros.h"
#include "tests/support/tenants.h"
#include "transport/wire/auth_messages.h"
#include "transport/wire/claim_messages.h"
#include "transport/wire/shared_messages.h"

namespace incipit::conformance {
namespace {

using wire::FrameType;

constexpr uint64_t kMaxAnswerBytes = 16 << 20;  // of what a rogue can ask for here

bool Holds(ByteView bytes, const std::string& marker) {
  return std::search(bytes.begin(), bytes.end(), marker.begin(), marker.end()) != bytes.end();
}

}  // namespace

Task<absl::StatusOr<RogueSession::Received>> RogueSession::ReceiveTask(FrameChannel* channel) {
  Task<absl::StatusOr<IncomingFrame>> receiving = channel->Receive();
  const absl::StatusOr<IncomingFrame> frame = co_await receiving;
  if (!frame.ok()) co_return frame.status();
  Received received;
  received.header = frame->header;
  received.meta.assign(frame->meta.begin(), frame->meta.end());
  if (frame->header.payload_bytes > kMaxAnswerBytes) co_return absl::DataLossError("more than was asked for");
  received.payload.resize(frame->header.payload_bytes);
  const iovec piece{received.payload.data(), received.payload.size()};
  Task<absl::Status> taking = channel->ReceivePayload({&piece, received.payload.empty() ? 0u : 1u});
  const absl::Status taken = co_await taking;
  if (!taken.ok()) co_return taken;
  co_return received;
}

Task<absl::Status> RogueSession::WriteAll(FrameChannel* channel, ByteView bytes) {
  while (!bytes.empty()) {
    const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    Task<absl::StatusOr<size_t>> writing = channel->stream()->Write({&piece, 1});
    const absl::StatusOr<size_t> written = co_await writing;
    if (!written.ok()) co_return written.status();
    bytes = bytes.subspan(*written);
  }
  co_return absl::OkStatus();
}

absl::StatusOr<RogueSession::Received> RogueSession::Receive() {
  absl::StatusOr<Received> received = lane_->Run(ReceiveTask(peer_->channel()));
  if (!received.ok()) return received.status();
  ++frames_received_;
  bytes_received_ += received->meta.size() + received->payload.size();
  if (Holds(received->meta, marker_) || Holds(received->payload, marker_)) ++foreign_frames_;
  return received;
}

absl::StatusOr<RogueSession::Received> RogueSession::ReceiveAnswer(uint64_t id) {
  while (true) {
    absl::StatusOr<Received> received = Receive();
    if (!received.ok()) return received;
    const bool last = (received->header.flags & wire::kFrameFlagLast) != 0;
    if (received->header.request_id == id && last) return received;
  }
}

absl::Status RogueSession::Give(FrameType type, const std::vector<uint8_t>& meta,
                                std::vector<std::pair<wire::FrameHeader, std::vector<uint8_t>>>* sent) {
  wire::FrameHeader header{.type = type, .request_id = next_id_};
  header.meta_bytes = static_cast<uint32_t>(meta.size());
  if (sent != nullptr) sent->emplace_back(header, meta);
  return peer_->Send(type, next_id_++, meta);
}

absl::Status RogueSession::Connect(const std::string& tenant,
                                   std::vector<std::pair<wire::FrameHeader, std::vector<uint8_t>>>* sent) {
  peer_ = std::make_unique<RawPeer>(lane_);
  wire::Hello hello;
  hello.features = wire::kFeatureCredentials | wire::kFeatureClaims;
  if (peer_->channel()->stream()->CarriesDescriptors()) hello.features |= wire::kFeatureSharedRegions;
  hello.client_id = 66;
  hello.tenant = tenant;
  std::vector<uint8_t> hello_meta, answer;
  hello.Encode(&hello_meta);
  RETURN_IF_ERROR(Give(FrameType::kHello, hello_meta, sent));
  RETURN_IF_ERROR(peer_->Answer(&answer));
  ASSIGN_OR_RETURN(const wire::Challenge challenge, wire::Challenge::Decode(answer));
  wire::Proof proof;
  proof.client_nonce.fill(0x66);
  proof.proof = ClientProof(testing::KeyOfTenant(tenant), {hello_meta, challenge.server_nonce, proof.client_nonce});
  std::vector<uint8_t> meta;
  proof.Encode(&meta);
  RETURN_IF_ERROR(Give(FrameType::kProof, meta, sent));
  RETURN_IF_ERROR(peer_->Answer(&answer));
  meta.clear();
  wire::OpenNamespace{"model", layout_.Encode()}.Encode(&meta);
  RETURN_IF_ERROR(Give(FrameType::kOpenNamespace, meta, sent));
  RETURN_IF_ERROR(peer_->Answer(&answer));
  ASSIGN_OR_RETURN(const wire::OpenNamespaceReply opened, wire::OpenNamespaceReply::Decode(answer));
  namespace_id_ = opened.namespace_id;
  return absl::OkStatus();
}

absl::Status RogueSession::ShareMemory(PeerMemory* memory) {
  if (!peer_->channel()->stream()->CarriesDescriptors()) return absl::OkStatus();
  const wire::RegisterRegion control{0, wire::RegionKind::kControl, kControlBytes};
  RETURN_IF_ERROR(
      peer_->Send(FrameType::kRegisterRegion, 1, control, {memory->control_fd.get(), memory->pipe[1].get()}));
  RETURN_IF_ERROR(peer_->Answer());
  return Register(1, memory->bytes, memory->fd.get());
}

absl::Status RogueSession::Register(uint32_t region_id, uint64_t bytes, int fd) {
  const wire::RegisterRegion region{region_id, wire::RegionKind::kMemory, bytes};
  const uint64_t id = next_id_++;
  RETURN_IF_ERROR(peer_->Send(FrameType::kRegisterRegion, id, region, {fd}));
  ASSIGN_OR_RETURN(const Received received, ReceiveAnswer(id));
  if (received.header.type != FrameType::kError) return absl::OkStatus();
  ASSIGN_OR_RETURN(const wire::Error error, wire::Error::Decode(received.meta));
  return absl::Status(error.code, error.message);
}

absl::Status RogueSession::Try(const Attempt& attempt) {
  std::vector<uint8_t> bytes;
  if (!attempt.is_noise) {
    const auto header = attempt.header.Encode(attempt.meta);
    bytes.assign(header.begin(), header.end());
    bytes.insert(bytes.end(), attempt.meta.begin(), attempt.meta.end());
  }
  bytes.insert(bytes.end(), attempt.payload.begin(), attempt.payload.end());
  const bool cut =
      attempt.sent_bytes < bytes.size() || attempt.header.payload_bytes > attempt.payload.size() || attempt.is_noise;
  if (attempt.sent_bytes < bytes.size()) bytes.resize(attempt.sent_bytes);
  const uint64_t ping = next_id_++;
  if (!cut) {
    const auto fence = wire::FrameHeader{.type = FrameType::kPing, .request_id = ping}.Encode({});
    bytes.insert(bytes.end(), fence.begin(), fence.end());
  }
  RETURN_IF_ERROR(lane_->Run(WriteAll(peer_->channel(), bytes)));
  if (!cut) return ReceiveAnswer(ping).status();
  Close();
  return absl::OkStatus();
}

absl::Status RogueSession::LoadShared(const std::vector<wire::RegionRef>& pieces, uint32_t slot,
                                      const std::vector<uint8_t>& load) {
  std::vector<uint8_t> meta;
  wire::SharedPlaces{.slot = slot, .pieces = pieces}.Encode(&meta);
  meta.insert(meta.end(), load.begin(), load.end());
  const uint64_t id = next_id_++;
  RETURN_IF_ERROR(peer_->Send(FrameType::kLoad, id, meta, {}, wire::kFrameFlagShared));
  return ReceiveAnswer(id).status();
}

}  // namespace incipit::conformance
