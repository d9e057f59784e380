// The requests of a session that concern single flight: Claim, Wait, and Release of their ids.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/shard/checked_request.h"
#include "cache/shard/session.h"
#include "cache/shard/wait_job.h"

namespace incipit {
namespace {

constexpr uint32_t kWaitRetryUs = 100'000;
static_assert(static_cast<int>(wire::BlockState::kRam) == static_cast<int>(wire::Presence::kRam) &&
              static_cast<int>(wire::BlockState::kNvme) == static_cast<int>(wire::Presence::kNvme));

}  // namespace

absl::Status Session::CheckClaims() const {
  if ((hello_.features & wire::kFeatureClaims) != 0) return absl::OkStatus();
  return absl::InvalidArgumentError("Claim and Wait need the feature \"claims\" (bit 1) in Hello");
}

Task<void> Session::HandleClaim(uint64_t request_id, ByteView meta) {
  absl::StatusOr<Checked<wire::Claim>> request = DecodeChecked<wire::Claim>(*this, Role::kWrite, meta);
  if (const absl::Status may = CheckClaims(); !may.ok()) request = may;
  if (!request.ok()) {
    Task<void> replying = ReplyError(request_id, request.status());
    co_await replying;
    co_return;
  }
  const wire::Claim& claim = request->message;
  wire::ClaimReply reply;
  const int64_t now_ns = shard_->loop()->NowNs();
  if (claim.claim_id != 0) {
    reply.claim_ms = shard_->claims()->Renew(id_, claim.claim_id, claim.claim_ms, now_ns);
    reply.claim_id = reply.claim_ms == 0 ? 0 : claim.claim_id;
  } else {
    BlockStore* store = shard_->store();
    reply.states.resize(claim.keys.size(), wire::BlockState::kFree);
    std::vector<Hash128> hashes(claim.keys.size());
    FindAll(store, request->name_space, claim.keys, [&](size_t index, BlockId id, const Hash128& hash) {
      hashes[index] = hash;
      const wire::Presence presence = id == kNoBlock ? wire::Presence::kMiss : store->PresenceOf(id);
      if (presence != wire::Presence::kMiss) reply.states[index] = static_cast<wire::BlockState>(presence);
    });
    const ClaimTable::Granted granted =
        shard_->claims()->Claim(id_, request->name_space, claim.keys, hashes, claim.claim_ms, now_ns, &reply.states);
    reply.claim_id = granted.claim_id;
    reply.claim_ms = granted.claim_ms;
    reply.computing_ms = granted.computing_ms;
    shard_->NoteClaim();
  }
  std::vector<uint8_t> out;
  reply.Encode(&out);
  Task<void> replying = Reply(wire::FrameType::kClaimReply, request_id, std::move(out));
  co_await replying;
}

Task<void> Session::HandleWait(uint64_t request_id, ByteView meta) {
  auto job = std::make_unique<WaitJob>(this, request_id, std::vector<uint8_t>(meta.begin(), meta.end()));
  absl::Status status = CheckClaims();
  if (status.ok() && waits_.size() >= shard_->options().limits.max_waits_per_session) {
    status = absl::ResourceExhaustedError(absl::StrCat("this connection has ", waits_.size(), " waits, the limit"));
  }
  if (status.ok()) status = job->Prepare();
  if (!status.ok()) {
    Task<void> replying = ReplyError(request_id, status, absl::IsResourceExhausted(status) ? kWaitRetryUs : 0);
    co_await replying;
    co_return;
  }
  waits_.push_back(job.get());
  auto run = [](Session* session, std::unique_ptr<WaitJob> owned) -> Task<void> {
    Task<void> running = owned->Run();
    co_await running;
    std::erase(session->waits_, owned.get());
  };
  jobs_.Spawn(run(this, std::move(job)));
}

void Session::LetGo(uint64_t id) {
  if ((id & wire::kClaimIdBit) != 0) {
    shard_->claims()->Release(id_, id);
  } else if ((id & wire::kWaitIdBit) != 0) {
    for (WaitJob* wait : waits_) {
      if (wait->id() == id) wait->Stop();
    }
  } else {
    shard_->EndLease(id_, id);
  }
}

void Session::StopWaits() {
  for (WaitJob* wait : waits_) wait->Stop();
}

}  // namespace incipit
