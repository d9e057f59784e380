#include "client/src/core/claim_call.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "client/src/core/counted_reply.h"
#include "client/src/core/key_batches.h"

namespace incipit {
namespace {

// How many blocks may have come between the match and the claim, one after the other, before it is left at that.
constexpr int kMaxHeads = 64;
constexpr int kRenewalsPerLease = 3;

struct Grants {
  std::vector<LeaseGrant> ids;
  uint32_t claim_ms = std::numeric_limits<uint32_t>::max();
  uint32_t computing_ms = 0;
};

// Claims one batch; its slots are positions in the plan. False if there is no answer.
Task<bool> ClaimBatch(Flying* flying, KeyBatchOfShard* batch, Grants* grants) {
  CallContext* context = flying->context;
  const std::shared_ptr<ShardConnection>& connection = flying->shards->connections[batch->shard];
  if (!connection->has_feature(wire::kFeatureClaims)) co_return false;
  wire::Claim message;
  message.claim_ms = flying->claim_ms;
  message.keys = std::move(batch->keys);
  ShardRequest request{.type = wire::FrameType::kClaim, .meta = std::make_shared<std::vector<uint8_t>>()};
  message.Encode(request.meta.get());
  CountedReply<wire::ClaimReply> reply(context->loop, wire::FrameType::kClaimReply, batch->slots.size());
  absl::Status status = co_await connection->Exchange(&request, &reply, flying->deadline_ns);
  if (!status.ok()) co_return false;
  const wire::ClaimReply& answer = reply.value();
  for (size_t i = 0; i < batch->slots.size(); ++i) flying->plan->parts()[batch->slots[i]].state = answer.states[i];
  grants->computing_ms = std::max(grants->computing_ms, answer.computing_ms);
  if (answer.claim_id != 0) {
    grants->ids.push_back({connection, connection->session_number(), answer.claim_id});
    grants->claim_ms = std::min(grants->claim_ms, answer.claim_ms);
  }
  co_return true;
}

Task<void> ClaimOne(Flying* flying, KeyBatchOfShard* batch, Grants* grants) {
  Task<bool> claiming = ClaimBatch(flying, batch, grants);
  const bool answered = co_await claiming;
  (void)answered;  // A shard that does not answer leaves its blocks unclaimed: the head decides all the same.
}

// The state of the head after asking for it; kFree if nobody could be asked, or there is no head any more.
Task<wire::BlockState> ClaimHead(Flying* flying, uint64_t have_tokens, size_t* head, Grants* grants) {
  for (int tries = 0; tries < kMaxHeads; ++tries) {
    *head = flying->plan->Head(have_tokens);
    if (*head == FlightPlan::kNone) co_return wire::BlockState::kFree;
    const FlightPlan::Part& part = flying->plan->parts()[*head];
    KeyBatchOfShard batch;
    batch.shard = ShardOfPart(flying->context, flying->shards, part.key.group, part.key.part, part.key.key);
    batch.keys = {part.key};
    batch.slots = {static_cast<uint32_t>(*head)};
    Task<bool> claiming = ClaimBatch(flying, &batch, grants);
    const bool answered = co_await claiming;
    if (!answered) co_return wire::BlockState::kFree;
    if (!part.here()) co_return part.state;
  }
  co_return wire::BlockState::kComputing;  // They come faster than they are asked for: somebody is at work.
}

// What is granted already must not lapse while a busy node takes its time over the rest.
Task<void> RenewUntil(Event* done, Flying* flying, const Grants* grants) {
  const int64_t interval_ns = int64_t{flying->claim_ms} * 1'000'000 / kRenewalsPerLease;
  while (true) {
    const bool over = co_await done->WaitUntil(flying->context->loop->NowNs() + interval_ns);
    if (over) co_return;
    flying->context->renew(grants->ids, flying->claim_ms);
  }
}

Task<void> ClaimRest(Flying* flying, size_t head, Grants* grants) {
  const std::vector<FlightPlan::Part>& parts = flying->plan->parts();
  KeyBatcher batcher(flying->context, flying->shards, parts.size() - head);
  for (size_t i = head + 1; i < parts.size(); ++i) {
    if (!parts[i].here()) batcher.Add(parts[i].key, static_cast<uint32_t>(i));
  }
  std::vector<KeyBatchOfShard> batches = batcher.Take();
  TaskScope scope(flying->context->loop);
  for (KeyBatchOfShard& batch : batches) scope.Spawn(ClaimOne(flying, &batch, grants));
  Event done(flying->context->loop);
  TaskScope renewing(flying->context->loop);
  renewing.Spawn(RenewUntil(&done, flying, grants));
  co_await scope.Join();
  done.Set();
  co_await renewing.Join();
  flying->context->renew(grants->ids, flying->claim_ms);  // The first was granted before the others.
}

}  // namespace

void TakePresence(const Flying& flying, MatchResult* result) {
  result->presence = flying.plan->Presence();
  result->restorable_tokens = RestorableLengths(flying.context->layout(), result->presence);
}

Task<void> ClaimMissing(Flying* flying, MatchResult* result) {
  CallContext* context = flying->context;
  Grants grants;
  size_t head = FlightPlan::kNone;
  Task<wire::BlockState> asking = ClaimHead(flying, result->longest_tokens(), &head, &grants);
  const wire::BlockState state = co_await asking;
  if (state == wire::BlockState::kClaimed) {
    co_await ClaimRest(flying, head, &grants);
    ++context->counters->claims;
    result->flight = Flight::kClaimed;
    result->claim_ms = grants.claim_ms;
    auto renew = [renew = context->renew, ids = grants.ids, claim_ms = flying->claim_ms] { renew(ids, claim_ms); };
    result->claim = Claim(std::move(renew), context->make_lease(std::move(grants.ids)));
  } else if (state == wire::BlockState::kComputing) {
    result->flight = Flight::kComputing;
    result->computing_ms = grants.computing_ms;
  }
  TakePresence(*flying, result);
}

}  // namespace incipit
