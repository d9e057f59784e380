// The requests of a session that come from other nodes, or are about the node as one of several: Peer, Drain.
#include "cache/shard/node_control.h"
#include "cache/shard/session.h"
#include "transport/wire/node_messages.h"

namespace incipit {

bool Session::MayBePeer() const {
  const TenantTable* tenants = shard_->tenants();
  if (tenants == nullptr) return true;  // anybody may be any tenant here
  const Tenant* self = tenants->Find(tenant());
  return self != nullptr && self->roles.HasAnyOf(Role::kPeer);
}

uint64_t Session::StampOf(uint64_t stamp_ns) const {
  // What another node hands over is as old as it is.
  if (!peer_ || stamp_ns == 0) return shard_->ClampStamp(stamp_ns);
  return std::min(stamp_ns, static_cast<uint64_t>(shard_->loop()->WallNs()));
}

absl::Status Session::BecomePeer(ByteView meta) {
  const absl::StatusOr<wire::Peer> request = wire::Peer::Decode(meta);
  if ((hello_.features & wire::kFeatureNodes) == 0) {
    return absl::InvalidArgumentError("Peer needs the feature \"nodes\" (bit 4) in Hello");
  }
  if (!request.ok()) return request.status();
  if (!namespaces_.empty() || peer_) return absl::InvalidArgumentError("Peer comes once, before any namespace");
  if (!MayBePeer()) return Deny("the tenant lacks the role peer");
  peer_ = true;
  return absl::OkStatus();
}

Task<void> Session::HandlePeer(uint64_t request_id, ByteView meta) {
  const absl::Status status = BecomePeer(meta);
  Task<void> replying;
  if (status.ok()) {
    const PublishedMapRef& map = shard_->cluster_map();
    std::vector<uint8_t> out;
    wire::PeerReply{.epoch = map == nullptr ? 0 : map->epoch}.Encode(&out);
    replying = Reply(wire::FrameType::kPeerReply, request_id, std::move(out));
  } else {
    replying = ReplyError(request_id, status);
  }
  co_await replying;
}

absl::StatusOr<wire::DrainReply> Session::AskForDrain(ByteView meta) const {
  const absl::StatusOr<wire::Drain> request = wire::Drain::Decode(meta);
  if ((hello_.features & wire::kFeatureNodes) == 0) {
    return absl::InvalidArgumentError("Drain needs the feature \"nodes\" (bit 4) in Hello");
  }
  if (!request.ok()) return request.status();
  if (!MaySeeWholeNode()) return Deny("the tenant lacks the role admin");
  if (shard_->control() == nullptr) {
    return absl::FailedPreconditionError("the node is in no cluster: it was started without --membership");
  }
  return shard_->control()->Drain(*request);
}

Task<void> Session::HandleDrain(uint64_t request_id, ByteView meta) {
  const absl::StatusOr<wire::DrainReply> answer = AskForDrain(meta);
  Task<void> replying;
  if (answer.ok()) {
    std::vector<uint8_t> out;
    answer->Encode(&out);
    replying = Reply(wire::FrameType::kDrainReply, request_id, std::move(out));
  } else {
    replying = ReplyError(request_id, answer.status());
  }
  co_await replying;
}

}  // namespace incipit
