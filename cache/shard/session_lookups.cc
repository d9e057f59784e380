// The requests of a session that move no payload: Match, Offer, Touch, Release, Remove, OpenNamespace.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/shard/checked_request.h"
#include "cache/shard/match_job.h"
#include "cache/shard/session.h"
#include "transport/wire/auth_messages.h"

namespace incipit {
namespace {

constexpr size_t kRemovesAtOnce = 256;
constexpr uint64_t kNsPerMs = 1'000'000;

}  // namespace

absl::StatusOr<uint32_t> Session::OpenNamespaceOf(const std::string& owner, const std::string& model,
                                                  ByteView layout_bytes) {
  // The same answer whether the owner exists, holds such a namespace, or grants it to others.
  if (RolesIn(owner, model).empty()) return Deny("no grant of this namespace to the tenant");
  ASSIGN_OR_RETURN(const Layout layout, Layout::Decode(layout_bytes));
  if (namespaces_.size() >= shard_->options().limits.max_namespaces_per_session) {
    return absl::ResourceExhaustedError(
        absl::StrCat("this connection holds ", namespaces_.size(), " namespaces, the limit"));
  }
  ASSIGN_OR_RETURN(const NamespaceId id, shard_->store()->namespaces().Open(owner, model, layout));
  namespaces_.push_back({.id = id});
  return static_cast<uint32_t>(namespaces_.size() - 1);
}

Task<void> Session::HandleOpenNamespace(uint64_t request_id, ByteView meta) {
  const absl::StatusOr<wire::OpenNamespace> message = wire::OpenNamespace::Decode(meta);
  if (!message.ok()) return ReplyOpened(request_id, message.status());
  return ReplyOpened(request_id, OpenNamespaceOf(tenant(), message->model, message->layout));
}

Task<void> Session::HandleOpenShared(uint64_t request_id, ByteView meta) {
  const absl::StatusOr<wire::OpenShared> message = wire::OpenShared::Decode(meta);
  if (!message.ok()) return ReplyOpened(request_id, message.status());
  return ReplyOpened(request_id, OpenNamespaceOf(message->owner, message->model, message->layout));
}

Task<void> Session::ReplyOpened(uint64_t request_id, absl::StatusOr<uint32_t> opened) {
  Task<void> replying;
  if (opened.ok()) {
    std::vector<uint8_t> out;
    wire::OpenNamespaceReply{.namespace_id = *opened}.Encode(&out);
    replying = Reply(wire::FrameType::kOpenNamespaceReply, request_id, std::move(out));
  } else {
    replying = ReplyError(request_id, opened.status());
  }
  co_await replying;
}

Task<void> Session::HandleMatch(uint64_t request_id, ByteView meta) {
  auto job = std::make_unique<MatchJob>(this, request_id);
  const absl::Status looked = job->Look(meta);
  Task<void> answering;
  if (!looked.ok()) {
    answering = ReplyError(request_id, looked);
  } else if (!job->AsksPeers()) {
    answering = job->Run();
  } else {  // other requests of this session do not wait for other nodes
    auto run = [](std::unique_ptr<MatchJob> owned) -> Task<void> {
      Task<void> running = owned->Run();
      co_await running;
    };
    jobs_.Spawn(run(std::move(job)));
    co_return;
  }
  co_await answering;
}

Task<void> Session::HandleOffer(uint64_t request_id, ByteView meta) {
  const absl::StatusOr<Checked<wire::Offer>> request = DecodeChecked<wire::Offer>(*this, Role::kWrite, meta);
  if (!request.ok()) {
    Task<void> replying = ReplyError(request_id, request.status());
    co_await replying;
    co_return;
  }
  ++shard_->counters()->offers;
  BlockStore* store = shard_->store();
  const uint64_t stamp_ns = StampOf(request->message.stamp_ns);
  wire::StatusReply reply;
  wire::BlockStatus of_missing = wire::BlockStatus::kWanted;
  const bool shed = !MayStoreNow();
  if (!shard_->takes_stores() || shed) {
    of_missing = wire::BlockStatus::kBusy;
  } else if (peer_ && !store->WouldKeep(stamp_ns)) {
    of_missing = wire::BlockStatus::kRejected;
  }
  reply.statuses.resize(request->message.keys.size(), of_missing);
  FindAll(store, request->name_space, request->message.keys, [&](size_t index, BlockId id, const Hash128&) {
    if (id == kNoBlock || store->PresenceOf(id) == wire::Presence::kMiss) return;
    reply.statuses[index] = wire::BlockStatus::kPresent;
    store->Touch(id, stamp_ns);
  });
  if (shed) {
    shard_->counters()->stores_shed +=
        static_cast<uint64_t>(std::ranges::count(reply.statuses, wire::BlockStatus::kBusy));
  }
  std::vector<uint8_t> out;
  reply.Encode(&out);
  Task<void> replying = Reply(wire::FrameType::kOfferReply, request_id, std::move(out));
  co_await replying;
}

Task<void> Session::HandleTouch(uint64_t request_id, ByteView meta) {
  const absl::StatusOr<Checked<wire::Touch>> request = DecodeChecked<wire::Touch>(*this, Role::kRead, meta);
  if (!request.ok()) {
    Task<void> replying = ReplyError(request_id, request.status());
    co_await replying;
    co_return;
  }
  ++shard_->counters()->touches;
  BlockStore* store = shard_->store();
  const uint64_t stamp_ns = shard_->ClampStamp(request->message.stamp_ns);
  Hint hint;
  if (request->message.next_use_ms > 0) hint.next_use_ns = stamp_ns + request->message.next_use_ms * kNsPerMs;
  if (request->message.ttl_ms > 0) hint.expires_ns = stamp_ns + request->message.ttl_ms * kNsPerMs;
  wire::StatusReply reply;
  reply.statuses.resize(request->message.keys.size(), wire::BlockStatus::kMiss);
  FindAll(store, request->name_space, request->message.keys, [&](size_t index, BlockId id, const Hash128&) {
    if (id == kNoBlock) return;
    reply.statuses[index] = wire::BlockStatus::kOk;
    store->Touch(id, stamp_ns);
    store->GiveHint(id, hint);
  });
  std::vector<uint8_t> out;
  reply.Encode(&out);
  Task<void> replying = Reply(wire::FrameType::kTouchReply, request_id, std::move(out));
  co_await replying;
}

Task<void> Session::HandleRelease(uint64_t request_id, ByteView meta) {
  const absl::StatusOr<wire::Release> request = wire::Release::Decode(meta);
  Task<void> replying;
  if (request.ok()) {
    ++shard_->counters()->releases;
    LetGo(request->id);
    replying = Reply(wire::FrameType::kReleaseReply, request_id, {});
  } else {
    replying = ReplyError(request_id, request.status());
  }
  co_await replying;
}

Task<void> Session::RunRemove(uint64_t request_id, std::vector<uint8_t> meta) {
  const absl::StatusOr<Checked<wire::Remove>> request =
      DecodeChecked<wire::Remove>(*this, Role::kWrite | Role::kAdmin, meta);
  if (!request.ok()) {
    Task<void> replying = ReplyError(request_id, request.status());
    co_await replying;
    co_return;
  }
  const wire::KeyBatch& keys = request->message.keys;
  shard_->counters()->removes += keys.size();
  wire::StatusReply reply;
  reply.statuses.resize(keys.size(), wire::BlockStatus::kMiss);
  const auto remove = [](BlockStore* store, NamespaceId name_space, wire::KeyRef key, wire::BlockStatus* out,
                         Semaphore* slots) -> Task<void> {
    Task<wire::BlockStatus> removing = store->Remove(name_space, key);
    *out = co_await removing;
    slots->Release(1);
  };
  Semaphore slots(shard_->loop(), kRemovesAtOnce);
  TaskScope removes(shard_->loop());
  for (size_t i = 0; i < keys.size(); ++i) {
    co_await slots.Acquire(1);
    removes.Spawn(remove(shard_->store(), request->name_space, keys[i], &reply.statuses[i], &slots));
  }
  co_await removes.Join();
  std::vector<uint8_t> out;
  reply.Encode(&out);
  Task<void> replying = Reply(wire::FrameType::kRemoveReply, request_id, std::move(out));
  co_await replying;
}

}  // namespace incipit
