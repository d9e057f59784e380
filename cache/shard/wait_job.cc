#include "cache/shard/wait_job.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/shard/checked_request.h"

namespace incipit {
namespace {

constexpr int64_t kMicrosecondNs = 1000;
constexpr int64_t kMillisecondNs = 1'000'000;

bool IsHere(wire::BlockState state) { return state == wire::BlockState::kRam || state == wire::BlockState::kNvme; }

}  // namespace

WaitJob::WaitJob(Session* session, uint64_t request_id, std::vector<uint8_t> meta)
    : session_(session),
      shard_(session->shard()),
      request_id_(request_id),
      meta_(std::move(meta)),
      wake_(shard_->loop()) {}

WaitJob::~WaitJob() {
  if (admitted_) shard_->claims()->Unwatch(this, session_->id(), states_.size(), slots_);
}

absl::Status WaitJob::Prepare() {
  ASSIGN_OR_RETURN(Checked<wire::Wait> request, DecodeChecked<wire::Wait>(*session_, Role::kRead, meta_));
  request_ = std::move(request.message);
  name_space_ = request.name_space;
  if ((request_id_ & (wire::kClaimIdBit | wire::kWaitIdBit)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("wait: request id ", request_id_, ", at most 2^62 - 1"));
  }
  if (!shard_->claims()->AdmitWatcher(session_->id(), request_.keys.size())) {
    return absl::ResourceExhaustedError("too many keys are being waited for");
  }
  admitted_ = true;
  states_.resize(request_.keys.size(), wire::BlockState::kFree);
  changed_.resize(states_.size());
  const uint32_t wait_ms = std::min(request_.deadline_ms, shard_->options().limits.max_wait_ms);
  deadline_ns_ = shard_->loop()->NowNs() + int64_t{wait_ms} * kMillisecondNs;
  return absl::OkStatus();
}

void WaitJob::WatchAll() {
  BlockStore* store = shard_->store();
  missing_ = states_.size();
  FindAll(store, name_space_, request_.keys, [&](size_t index, BlockId id, const Hash128& hash) {
    const auto number = static_cast<uint32_t>(index);
    wire::BlockState state = wire::BlockState::kFree;
    const wire::Presence presence = id == kNoBlock ? wire::Presence::kMiss : store->PresenceOf(id);
    if (presence == wire::Presence::kMiss) {
      state = shard_->claims()->Watch(this, number, name_space_, request_.keys[index], hash, &slots_);
    } else {
      state = presence == wire::Presence::kRam ? wire::BlockState::kRam : wire::BlockState::kNvme;
    }
    Change(number, state);
  });
}

void WaitJob::Change(uint32_t index, wire::BlockState state) {
  if (IsHere(state)) --missing_;
  states_[index] = state;
  if (changed_[index]) return;
  changed_[index] = true;
  changes_.push_back(index);
}

void WaitJob::OnState(uint32_t index, wire::BlockState state) {
  Change(index, state);
  wake_.Set();
}

void WaitJob::Stop() {
  stopped_ = true;
  wake_.Set();
}

Task<void> WaitJob::Run() {
  WatchAll();
  while (true) {
    const bool last = missing_ == 0 || stopped_ || shard_->loop()->NowNs() >= deadline_ns_;
    Task<absl::Status> sending = SendChanges(last);
    const absl::Status sent = co_await sending;
    if (last || !sent.ok()) co_return;
    Task<void> waiting = WaitForChanges();
    co_await waiting;
  }
}

Task<void> WaitJob::WaitForChanges() {
  while (changes_.empty() && !stopped_ && shard_->loop()->NowNs() < deadline_ns_) {
    wake_.Clear();
    co_await wake_.WaitUntil(deadline_ns_);
  }
  // What lands in the next moment travels in the same frame; the last block is not kept waiting.
  const int64_t batch_ns = int64_t{shard_->options().limits.wait_batch_us} * kMicrosecondNs;
  const int64_t until_ns = std::min(deadline_ns_, shard_->loop()->NowNs() + batch_ns);
  while (missing_ > 0 && !stopped_ && shard_->loop()->NowNs() < until_ns) {
    wake_.Clear();
    co_await wake_.WaitUntil(until_ns);
  }
}

Task<absl::Status> WaitJob::SendChanges(bool last) {
  co_await session_->send_lock()->Acquire(1);
  wire::WaitReply reply;
  reply.wait_id = id();
  for (const uint32_t index : std::exchange(changes_, {})) {
    changed_[index] = false;
    wire::StateRun* run = reply.runs.empty() ? nullptr : &reply.runs.back();
    if (run != nullptr && run->state == states_[index] && run->first + run->keys == index) {
      ++run->keys;
    } else {
      reply.runs.push_back({index, 1, states_[index]});
    }
  }
  std::vector<uint8_t> meta;
  reply.Encode(&meta);
  const uint16_t flags = last ? wire::kFrameFlagLast : uint16_t{0};
  Task<absl::Status> sending = session_->SendLocked(wire::FrameType::kWaitReply, request_id_, flags, &meta, {});
  const absl::Status status = co_await sending;
  session_->send_lock()->Release(1);
  co_return status;
}

}  // namespace incipit
