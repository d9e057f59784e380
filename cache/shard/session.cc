#include "cache/shard/session.h"

#include "absl/strings/str_cat.h"
#include "cache/base/defence.h"
#include "cache/base/status_macros.h"
#include "cache/shard/load_job.h"
#include "cache/shard/map_watch.h"
#include "cache/shard/store_receiver.h"
#include "transport/auth/proof.h"
#include "transport/wire/auth_messages.h"
#include "transport/wire/map_messages.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

}  // namespace

Session::Session(Shard* shard, std::unique_ptr<FrameChannel> channel, const wire::Hello& hello, uint64_t id,
                 SessionPass pass)
    : shard_(shard),
      channel_(std::move(channel)),
      hello_(hello),
      pass_(std::move(pass)),
      id_(id),
      send_lock_(shard->loop(), 1),
      shares_memory_((hello_.features & wire::kFeatureSharedRegions) != 0 && channel_->stream()->CarriesDescriptors()),
      regions_(shard->options().limits.regions_per_session),
      jobs_(shard->loop()) {
  if (pass_.proven) hello_.tenant = pass_.tenant;
}

Session::~Session() {
  if (pass_.reply_key.has_value()) Wipe(pass_.reply_key->data(), pass_.reply_key->size());
  shard_->loop()->CancelTimer(this);
}

Task<absl::Status> Session::SendError(FrameChannel* channel, uint64_t request_id, absl::Status reason,
                                      uint32_t retry_after_us) {
  wire::Error error;
  error.code = reason.code();
  error.retry_after_us = retry_after_us;
  error.message = std::string(reason.message());
  std::vector<uint8_t> meta;
  error.Encode(&meta);
  wire::FrameHeader header;
  header.type = wire::FrameType::kError;
  header.flags = wire::kFrameFlagLast;
  header.request_id = request_id;
  Task<absl::Status> sending = channel->Send(header, meta, {});
  co_return co_await sending;
}

Task<void> Session::Refuse(std::unique_ptr<FrameChannel> channel, uint64_t request_id, absl::Status reason) {
  Task<absl::Status> sending = SendError(channel.get(), request_id, reason);
  const absl::Status ignored = co_await sending;  // The client is being sent away; that it left already is fine.
  channel->Close();
}

Task<void> Session::Run(uint64_t request_id) {
  WatchForStalls();
  Task<void> hello = SendHelloReply(request_id);
  co_await hello;
  Task<absl::Status> serving = Serve();
  const absl::Status status = co_await serving;
  // Unavailable and Cancelled are how connections end; the rest is a client that does not speak the protocol.
  if (!absl::IsUnavailable(status) && !absl::IsCancelled(status)) {
    ++shard_->counters()->protocol_errors;
    Task<void> farewell = ReplyError(0, status);
    co_await farewell;
  }
  channel_->Close();
  StopWaits();
  StopMapWatch();
  co_await jobs_.Join();
  AddBytesTo(shard_->counters());
}

void Session::AddBytesTo(ShardCounters* counters) const {
  counters->bytes_received += channel_->bytes_received();
  counters->bytes_sent += channel_->bytes_sent();
  LaneCounters& lane = counters->lane(channel_->stream()->lane());
  lane.bytes_received += channel_->bytes_received();
  lane.bytes_sent += channel_->bytes_sent();
}

LaneCounters* Session::lane_counters() { return &shard_->counters()->lane(channel_->stream()->lane()); }

Task<void> Session::SendHelloReply(uint64_t request_id) {
  const ShardIdentity& identity = shard_->options().identity;
  wire::HelloReply reply;
  reply.version = wire::kProtocolVersion;
  reply.shard = identity.shard;
  reply.shard_count = identity.shard_count;
  reply.node_id = identity.node_id;
  reply.incarnation = identity.incarnation;
  reply.placement_seed = identity.placement_seed;
  reply.features = hello_.features & (wire::kFeatureCredentials | wire::kFeatureClaims | wire::kFeatureClusterMap |
                                      wire::kFeatureHotCopies | wire::kFeatureNodes | wire::kFeatureSealedCodecs |
                                      wire::kFeatureActivity | wire::kFeatureTurns);
  if (shares_memory_) reply.features |= wire::kFeatureSharedRegions;
  reply.max_inflight_requests = shard_->options().limits.max_loads_per_session;
  reply.node_name = identity.node_name;
  std::vector<uint8_t> meta;
  reply.Encode(&meta);
  wire::FrameType type = wire::FrameType::kHelloReply;
  if (pass_.reply_key.has_value()) {
    wire::ProofReply proof{.proof = ServerProof(*pass_.reply_key, meta), .hello_reply = std::move(meta)};
    meta.clear();
    proof.Encode(&meta);
    type = wire::FrameType::kProofReply;
  }
  Task<void> replying = Reply(type, request_id, std::move(meta));
  co_await replying;
}

Task<absl::Status> Session::Serve() {
  while (true) {
    Task<absl::StatusOr<IncomingFrame>> receiving = channel_->Receive();
    const absl::StatusOr<IncomingFrame> frame = co_await receiving;
    if (!frame.ok()) co_return frame.status();
    const uint64_t epoch = shard_->options().identity.epoch;
    if (frame->header.epoch != 0 && frame->header.epoch != epoch) {
      Task<absl::Status> discarding = channel_->DiscardPayload();
      CO_RETURN_IF_ERROR(co_await discarding);
      Task<void> replying =
          ReplyError(frame->header.request_id, absl::FailedPreconditionError(absl::StrCat(
                                                   "epoch ", frame->header.epoch, " is stale, the map is at ", epoch)));
      co_await replying;
      continue;
    }
    Task<absl::Status> dispatching = Dispatch(&*frame);
    CO_RETURN_IF_ERROR(co_await dispatching);
  }
}

Task<absl::Status> Session::Dispatch(const IncomingFrame* frame) {
  const uint64_t request_id = frame->header.request_id;
  const ByteView meta = frame->meta;
  const bool shared = (frame->header.flags & wire::kFrameFlagShared) != 0;
  Task<void> handling;
  switch (frame->header.type) {
    case wire::FrameType::kOpenNamespace:
      handling = HandleOpenNamespace(request_id, meta);
      break;
    case wire::FrameType::kOpenShared:
      handling = HandleOpenShared(request_id, meta);
      break;
    case wire::FrameType::kMatch:
      handling = HandleMatch(request_id, meta);
      break;
    case wire::FrameType::kLoad:
      handling = HandleLoad(request_id, meta, shared);
      break;
    case wire::FrameType::kOffer:
      handling = HandleOffer(request_id, meta);
      break;
    case wire::FrameType::kStore: {
      Task<absl::Status> storing =
          ReceiveStore(this, request_id, std::vector<uint8_t>(meta.begin(), meta.end()), shared);
      co_return co_await storing;
    }
    case wire::FrameType::kTouch:
      handling = HandleTouch(request_id, meta);
      break;
    case wire::FrameType::kRelease:
      handling = HandleRelease(request_id, meta);
      break;
    case wire::FrameType::kClaim:
      handling = HandleClaim(request_id, meta);
      break;
    case wire::FrameType::kWait:
      handling = HandleWait(request_id, meta);
      break;
    case wire::FrameType::kGetMap:
      handling = HandleGetMap(request_id, meta);
      break;
    case wire::FrameType::kPeer:
      handling = HandlePeer(request_id, meta);
      break;
    case wire::FrameType::kDrain:
      handling = HandleDrain(request_id, meta);
      break;
    case wire::FrameType::kRemove:
      jobs_.Spawn(RunRemove(request_id, std::vector<uint8_t>(meta.begin(), meta.end())));
      co_return absl::OkStatus();
    case wire::FrameType::kStats:
      handling = HandleStats(request_id, meta);
      break;
    case wire::FrameType::kRegisterRegion:
      handling = HandleRegisterRegion(request_id, meta);
      break;
    case wire::FrameType::kForgetRegion:
      handling = HandleForgetRegion(request_id, meta);
      break;
    case wire::FrameType::kPing:
      handling = Reply(wire::FrameType::kPong, request_id, {});
      break;
    default:
      co_return absl::InvalidArgumentError(
          absl::StrCat("frame of type ", wire::FrameTypeName(frame->header.type), " is not a request"));
  }
  co_await handling;
  co_return absl::OkStatus();
}

Task<void> Session::HandleLoad(uint64_t request_id, ByteView meta, bool shared) {
  const int64_t received_ns = shard_->loop()->NowNs();
  if (!shard_->admission()->MayLoad(loading_)) {
    Task<void> refusing = RefuseLoad(request_id, received_ns);
    co_await refusing;
    co_return;
  }
  auto job =
      std::make_unique<LoadJob>(this, request_id, std::vector<uint8_t>(meta.begin(), meta.end()), shared, received_ns);
  absl::Status status = job->Prepare();
  if (!status.ok()) {
    Task<void> replying = ReplyError(request_id, status);
    co_await replying;
    co_return;
  }
  if (!shard_->admission()->Admit(job->expected_bytes(), &loading_)) {
    Task<void> refusing = RefuseLoad(request_id, received_ns);
    co_await refusing;
    co_return;
  }
  auto run = [](Session* session, std::unique_ptr<LoadJob> owned) -> Task<void> {
    Task<void> running = owned->Run();
    co_await running;
    session->shard_->admission()->End(&session->loading_);
  };
  jobs_.Spawn(run(this, std::move(job)));
}

Task<void> Session::RefuseLoad(uint64_t request_id, int64_t received_ns) {
  ++shard_->counters()->loads_busy;
  const uint32_t retry_after_us = shard_->admission()->Refuse(&loading_);
  Task<void> replying =
      ReplyError(request_id, absl::ResourceExhaustedError("too many loads in progress"), retry_after_us);
  co_await replying;
  shard_->counters()->refusal_latency.Record(shard_->loop()->NowNs() - received_ns);
}

Task<absl::Status> Session::SendLocked(wire::FrameType type, uint64_t request_id, uint16_t flags,
                                       const std::vector<uint8_t>* meta, std::span<const iovec> payload) {
  wire::FrameHeader header;
  header.type = type;
  header.flags = flags;
  header.request_id = request_id;
  header.epoch = shard_->options().identity.epoch;
  channel_->LimitTransfers(shard_->admission()->TransferBytes());
  Task<absl::Status> sending = channel_->Send(header, *meta, payload);
  const absl::Status status = co_await sending;
  if (!status.ok()) channel_->Close();
  co_return status;
}

void Session::WatchForStalls() {
  read_seen_ = channel_->read_waiting();
  write_seen_ = channel_->write_waiting();
  shard_->loop()->StartTimer(this, shard_->loop()->NowNs() + shard_->options().limits.client_stall_ms * kMillisecondNs);
}

void Session::OnTimer() {
  const bool reads_nothing = write_seen_ != 0 && write_seen_ == channel_->write_waiting();
  const bool sends_nothing = read_seen_ != 0 && read_seen_ == channel_->read_waiting();
  if (!reads_nothing && !sends_nothing) return WatchForStalls();
  ++shard_->counters()->sessions_stalled;
  channel_->Close();
}

Task<void> Session::Reply(wire::FrameType type, uint64_t request_id, std::vector<uint8_t> meta) {
  co_await send_lock_.Acquire(1);
  Task<absl::Status> sending = SendLocked(type, request_id, wire::kFrameFlagLast, &meta, {});
  const absl::Status status = co_await sending;  // On failure the channel is closed, and Serve sees it.
  send_lock_.Release(1);
}

Task<void> Session::ReplyError(uint64_t request_id, absl::Status status, uint32_t retry_after_us) {
  ++shard_->counters()->request_errors;
  wire::Error error;
  error.code = status.code();
  error.retry_after_us = retry_after_us;
  error.message = std::string(status.message());
  std::vector<uint8_t> meta;
  error.Encode(&meta);
  Task<void> replying = Reply(wire::FrameType::kError, request_id, std::move(meta));
  co_await replying;
}

absl::StatusOr<NamespaceId> Session::NamespaceOf(uint32_t namespace_id, RoleSet roles) const {
  if (namespace_id >= namespaces_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("namespace ", namespace_id, " was not opened on this connection, which has ", namespaces_.size()));
  }
  const OpenedNamespace& opened = namespaces_[namespace_id];
  // Looked up anew only after a reload.
  if (opened.roles_generation != shard_->tenants_generation()) {
    const NamespaceIdentity& identity = shard_->store()->namespaces().At(opened.id).identity;
    opened.roles = RolesIn(identity.tenant, identity.model);
    opened.roles_generation = shard_->tenants_generation();
  }
  if (opened.roles.HasAnyOf(roles)) return opened.id;
  return Deny("the tenant lacks the role for this request in this namespace");
}

RoleSet Session::RolesIn(const std::string& owner, const std::string& model) const {
  if (!INCIPIT_DEFENDED(kTenant)) return RoleSet::All();
  if (peer_) return MayBePeer() ? Role::kRead | Role::kWrite : RoleSet();
  const TenantTable* tenants = shard_->tenants();
  if (tenants != nullptr) return tenants->RolesIn(tenant(), owner, model);
  return owner == tenant() ? RoleSet::All() : RoleSet();
}

bool Session::MaySeeWholeNode() const {
  const TenantTable* tenants = shard_->tenants();
  if (tenants == nullptr) return true;
  const Tenant* self = tenants->Find(tenant());
  return self != nullptr && self->roles.HasAnyOf(Role::kAdmin);
}

absl::Status Session::Deny(std::string_view cause) const {
  ++shard_->counters()->requests_denied;
  shard_->store()->CountDenied(tenant());
  shard_->audit()->Write({"request_refused", channel_->PeerName(), tenant(), cause}, shard_->loop()->NowNs());
  return absl::PermissionDeniedError(std::string(cause));
}

absl::Status Session::CheckKeys(NamespaceId name_space, const wire::KeyBatch& keys) const {
  const Layout& layout = *shard_->store()->namespaces().At(name_space).layout;
  for (const wire::KeyRef& key : keys) {
    if (key.group >= layout.groups.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("group ", key.group, " is not in layout '", layout.name, "', which has ", layout.groups.size()));
    }
    if (key.part >= layout.groups[key.group].PartCount()) {
      return absl::InvalidArgumentError(absl::StrCat("part ", key.part, " is not in group '",
                                                     layout.groups[key.group].name, "', whose blocks have ",
                                                     layout.groups[key.group].PartCount()));
    }
  }
  return absl::OkStatus();
}

}  // namespace incipit
