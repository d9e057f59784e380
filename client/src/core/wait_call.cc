#include "client/src/core/wait_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cache/base/status_macros.h"
#include "client/src/core/claim_call.h"
#include "client/src/core/key_batches.h"
#include "client/src/core/match_call.h"

namespace incipit {
namespace {

// The node ends a wait so much before the call's deadline, so that its last word arrives in time.
constexpr uint32_t kAnswerMarginMs = 20;
// Judging costs a pass over the prompt's blocks, so a fast writer must not cause one for each.
constexpr int64_t kJudgeIntervalNs = 5'000'000;

// Shared by the call and its requests, which may end after it.
struct WaitWork {
  explicit WaitWork(Loop* loop) : changed(loop) {}
  std::shared_ptr<ShardSet> shards;
  std::vector<wire::BlockState> states;  // of the plan's parts
  size_t unanswered = 0;                 // requests without their first reply
  bool failed = false;                   // one of them found no shard that answers
  bool partial = false;                  // the same in a cluster, where the others are waited for all the same
  bool expired = false;                  // a shard has ended one
  bool over = false;                     // the call has ended
  std::vector<LeaseGrant> waits;         // to be released
  Event changed;
};

// One request as it is sent; refers to no memory of the caller.
struct WaitOfShard {
  uint32_t shard = 0;
  std::shared_ptr<std::vector<uint8_t>> meta;
  std::vector<uint32_t> slots;
};

class WaitReceiver : public PendingReply {
 public:
  WaitReceiver(CallContext* context, WaitWork* work, const WaitOfShard* batch)
      : PendingReply(context->loop, wire::FrameType::kWaitReply), context_(context), work_(work), batch_(batch) {}

  bool patient() const override { return true; }
  bool answered_once() const { return answered_once_; }
  bool all_here() const { return here_ == batch_->slots.size(); }

  Task<absl::Status> OnReply(FrameChannel* channel, const IncomingFrame& frame) override {
    absl::StatusOr<wire::WaitReply> reply = wire::WaitReply::Decode(frame.meta);
    if (!reply.ok()) co_return reply.status();
    for (const wire::StateRun& run : reply->runs) {
      if (run.first + run.keys > batch_->slots.size()) {
        co_return absl::DataLossError(fmt::format("{}: WaitReply for keys {} to {}, {} were asked for",
                                                  channel->PeerName(), run.first, run.first + run.keys - 1,
                                                  batch_->slots.size()));
      }
      for (uint32_t i = run.first; i < run.first + run.keys; ++i) Take(batch_->slots[i], run.state);
    }
    if (!std::exchange(answered_once_, true)) {
      --work_->unanswered;
      const std::shared_ptr<ShardConnection>& connection = work_->shards->connections[batch_->shard];
      LeaseGrant wait{connection, connection->session_number(), reply->wait_id};
      if (work_->over) {
        context_->release({std::move(wait)});
      } else {
        work_->waits.push_back(std::move(wait));
      }
    }
    work_->changed.Set();
    co_return absl::OkStatus();
  }

 private:
  static bool Here(wire::BlockState state) {
    return state == wire::BlockState::kRam || state == wire::BlockState::kNvme;
  }
  void Take(uint32_t slot, wire::BlockState state) {
    here_ += Here(state) && !Here(work_->states[slot]);
    work_->states[slot] = state;
  }

  CallContext* context_;
  WaitWork* work_;
  const WaitOfShard* batch_;
  bool answered_once_ = false;
  size_t here_ = 0;
};

Task<void> WatchShard(CallContext* context, std::shared_ptr<WaitWork> work, WaitOfShard batch, int64_t deadline_ns) {
  const std::shared_ptr<ShardConnection> connection = work->shards->connections[batch.shard];
  WaitReceiver receiver(context, work.get(), &batch);
  const bool mine = co_await connection->wait_budget()->Acquire(1, deadline_ns);
  if (mine && !work->over) {
    ShardRequest request{.type = wire::FrameType::kWait, .meta = batch.meta};
    absl::Status status = co_await connection->WaitReady(deadline_ns);
    if (status.ok() && !connection->has_feature(wire::kFeatureClaims)) {
      status = absl::FailedPreconditionError("the node knows no claims");
    }
    if (status.ok()) status = co_await connection->Exchange(&request, &receiver, deadline_ns);
    if (status.ok()) {
      work->expired |= !receiver.all_here();
    } else if (!absl::IsDeadlineExceeded(status) && !work->shards->of_cluster()) {
      work->failed = true;
    } else if (!absl::IsDeadlineExceeded(status)) {
      work->partial = true;  // Nobody is known to compute these.
      for (const uint32_t slot : batch.slots) work->states[slot] = wire::BlockState::kFree;
    }
  }
  if (mine) connection->wait_budget()->Release(1);
  if (!receiver.answered_once()) --work->unanswered;
  work->changed.Set();
}

uint32_t NodeDeadlineMs(const Loop* loop, int64_t deadline_ns) {
  const uint32_t left_ms = RemainingMs(loop, deadline_ns);
  return std::max(left_ms - std::min(left_ms / 4, kAnswerMarginMs), 1u);
}

void Spawn(const Flying& flying, const std::shared_ptr<WaitWork>& work) {
  KeyBatcher batcher(flying.context, flying.shards, work->states.size());
  for (size_t i = 0; i < work->states.size(); ++i) {
    batcher.Add(flying.plan->parts()[i].key, static_cast<uint32_t>(i));
  }
  std::vector<KeyBatchOfShard> batches = batcher.Take();
  work->unanswered = batches.size();
  for (KeyBatchOfShard& batch : batches) {
    wire::Wait message;
    message.deadline_ms = NodeDeadlineMs(flying.context->loop, flying.deadline_ns);
    message.keys = std::move(batch.keys);
    WaitOfShard request{batch.shard, std::make_shared<std::vector<uint8_t>>(), std::move(batch.slots)};
    message.Encode(request.meta.get());
    flying.context->background->Spawn(WatchShard(flying.context, work, std::move(request), flying.deadline_ns));
  }
}

// True when the call has what it waits for; `result` says what.
Task<bool> Judge(Flying* flying, WaitWork* work, const WaitRequest* request, uint64_t whole_tokens,
                 MatchResult* result) {
  for (size_t i = 0; i < work->states.size(); ++i) flying->plan->parts()[i].state = work->states[i];
  TakePresence(*flying, result);
  const uint64_t longest = result->longest_tokens();
  const size_t head = flying->plan->Head(longest);
  result->flight = Flight::kNone;
  if (head == FlightPlan::kNone) co_return true;
  const uint64_t wanted = std::min(request->have_tokens + std::max<uint64_t>(request->step_tokens, 1), whole_tokens);
  const bool enough = longest >= wanted && longest > request->have_tokens;
  if (work->states[head] == wire::BlockState::kComputing) {
    result->flight = Flight::kComputing;
    co_return enough;
  }
  if (request->claim_ms == 0) co_return true;
  co_await ClaimMissing(flying, result);
  // Another one may have been faster; then its shard will say so, or has said so already.
  co_return enough || result->flight != Flight::kComputing;
}

// The caller has what ends within have_tokens: that counts as here, wherever it is.
GroupPresence PresenceFor(const Layout& layout, const WaitRequest& request) {
  GroupPresence presence(layout.groups.size());
  for (size_t g = 0; g < request.groups.size(); ++g) {
    presence[g].assign(request.groups[g].size(), Presence::kMiss);
    const uint64_t blocks = std::min<uint64_t>(request.have_tokens / layout.groups[g].block_tokens, presence[g].size());
    std::fill_n(presence[g].begin(), blocks, Presence::kRam);
  }
  return presence;
}

// What can be restored once all is here.
uint64_t WholeTokens(const CallContext* context, const WaitRequest& request) {
  GroupPresence all(context->layout().groups.size());
  for (size_t g = 0; g < request.groups.size(); ++g) all[g].assign(request.groups[g].size(), Presence::kRam);
  const std::vector<uint64_t> lengths = RestorableLengths(context->layout(), all);
  return lengths.empty() ? 0 : lengths.back();
}

}  // namespace

Task<absl::StatusOr<MatchResult>> RunWait(CallContext* context, WaitRequest request) {
  CO_RETURN_IF_ERROR(CheckGroups(context->layout(), request.groups));
  ++context->counters->waits;
  MatchResult result;
  FlightPlan plan(context->layout(), request.groups, PresenceFor(context->layout(), request));
  Flying flying{context, nullptr, &plan, request.claim_ms, context->DeadlineNs(request.deadline_ms)};
  result.presence = plan.Presence();
  absl::StatusOr<std::shared_ptr<ShardSet>> shards = co_await context->links->Shards(flying.deadline_ns);
  if (!shards.ok()) {
    result.complete = false;
    co_return result;
  }
  auto work = std::make_shared<WaitWork>(context->loop);
  work->shards = *std::move(shards);
  work->states.resize(plan.parts().size(), wire::BlockState::kComputing);  // until a shard has said what it has
  flying.shards = work->shards.get();
  Spawn(flying, work);
  const uint64_t whole_tokens = WholeTokens(context, request);
  bool enough = false;
  int64_t judge_ns = 0;  // not before
  while (true) {
    work->changed.Clear();
    if (work->unanswered == 0) {
      Task<bool> judging = Judge(&flying, work.get(), &request, whole_tokens, &result);
      enough = co_await judging;
      judge_ns = context->loop->NowNs() + kJudgeIntervalNs;
    }
    if (enough || work->failed || work->expired) break;
    const bool changed = co_await work->changed.WaitUntil(flying.deadline_ns);
    if (!changed) break;
    if (context->loop->NowNs() < judge_ns) {
      co_await SleepUntil(context->loop, std::min(judge_ns, flying.deadline_ns));
    }
  }
  work->over = true;
  context->release(std::exchange(work->waits, {}));
  result.complete = !work->failed && !work->partial && work->unanswered == 0;
  if (work->failed && result.flight == Flight::kComputing) result.flight = Flight::kNone;
  co_return result;
}

}  // namespace incipit
