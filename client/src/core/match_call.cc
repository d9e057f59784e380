#include "client/src/core/match_call.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "cache/base/status_macros.h"
#include "client/src/copies/copy_search.h"
#include "client/src/core/claim_call.h"
#include "client/src/core/counted_reply.h"
#include "client/src/core/key_batches.h"
#include "client/src/restorable_lengths.h"

namespace incipit {
namespace {

// The work of one call, shared by its requests.
struct MatchWork {
  CallContext* context;
  std::shared_ptr<ShardSet> shards;
  uint64_t stamp_ns = 0;
  uint32_t lease_ms = 0;
  int64_t deadline_ns = 0;
  GroupPresence presence;
  std::vector<uint32_t> group_start;  // slot of each group's first block
  CopySearch copies;                  // where else blocks are, in a cluster
  std::vector<LeaseGrant> grants;
  uint32_t granted_ms = std::numeric_limits<uint32_t>::max();
  bool complete = true;
};

std::vector<KeyBatchOfShard> SplitKeys(const MatchWork& work, const MatchRequest& request) {
  size_t expected = 0;
  const Layout& layout = work.context->layout();
  for (size_t g = 0; g < request.groups.size(); ++g)
    expected += request.groups[g].size() * layout.groups[g].PartCount();
  KeyBatcher batcher(work.context, work.shards.get(), expected);
  for (size_t g = 0; g < request.groups.size(); ++g) {
    // Part by part: keys that share group, part and length are cheapest on the wire.
    for (uint32_t part = 0; part < layout.groups[g].PartCount(); ++part) {
      wire::KeyRef key{.group = static_cast<GroupIndex>(g), .part = static_cast<uint16_t>(part)};
      for (size_t i = 0; i < request.groups[g].size(); ++i) {
        key.key = request.groups[g][i];
        batcher.Add(key, work.group_start[g] + static_cast<uint32_t>(i));
        key.depth_tokens += layout.groups[g].block_tokens;
      }
    }
  }
  return batcher.Take();
}

// Blocks in parts start as present and lose that by any part that is missing; others start as missing.
void StartPresence(const Layout& layout, const MatchRequest& request, MatchWork* work) {
  work->presence.resize(layout.groups.size());
  uint32_t start = 0;
  for (size_t g = 0; g < request.groups.size(); ++g) {
    const bool whole = layout.groups[g].PartCount() == 1;
    work->presence[g].assign(request.groups[g].size(), whole ? Presence::kMiss : Presence::kRam);
    work->group_start.push_back(start);
    start += static_cast<uint32_t>(request.groups[g].size());
  }
}

// Of the blocks of a rank behind the owner's: what the owner lacks counts as present.
void TakeCopies(MatchWork* work, const KeyBatchOfShard& batch, const std::vector<Presence>& answers) {
  for (size_t i = 0; i < batch.keys.size(); ++i) {
    if (answers[i] == Presence::kMiss) continue;
    const uint32_t slot = batch.slots[i];
    work->copies.Found(slot, batch.rank);
    Presence& known = work->presence[batch.keys[i].group][slot - work->group_start[batch.keys[i].group]];
    if (known == Presence::kMiss) known = answers[i];
  }
}

void TakeAnswer(MatchWork* work, const KeyBatchOfShard& batch, const std::vector<Presence>* answers) {
  for (size_t i = 0; i < batch.keys.size(); ++i) {
    const wire::KeyRef& key = batch.keys[i];
    Presence& known = work->presence[key.group][batch.slots[i] - work->group_start[key.group]];
    const Presence answer = answers == nullptr ? Presence::kMiss : (*answers)[i];
    const bool whole = work->context->layout().groups[key.group].PartCount() == 1;
    if (whole || answer == Presence::kMiss) {
      known = answer;
    } else if (known != Presence::kMiss) {
      known = std::max(known, answer);
    }
  }
}

Task<void> MatchBatch(MatchWork* work, KeyBatchOfShard* batch) {
  CallContext* context = work->context;
  ShardConnection* connection = work->shards->connections[batch->shard].get();
  wire::Match message;
  message.stamp_ns = work->stamp_ns;
  message.lease_ms = work->lease_ms;
  message.keys = std::move(batch->keys);
  ShardRequest request{.type = wire::FrameType::kMatch, .meta = std::make_shared<std::vector<uint8_t>>()};
  request.meta->reserve(64 + message.keys.size() * (4 + message.keys.front().key.size()));
  message.Encode(request.meta.get());
  batch->keys = std::move(message.keys);
  CountedReply<wire::MatchReply> reply(context->loop, wire::FrameType::kMatchReply, batch->keys.size());
  const int64_t start_ns = context->loop->NowNs();
  absl::Status status = co_await connection->Exchange(&request, &reply, work->deadline_ns);
  if (!status.ok() && batch->rank > 0) co_return;  // a copy more would have been welcome
  if (!status.ok()) {
    work->complete = false;
    TakeAnswer(work, *batch, nullptr);
    co_return;
  }
  context->guard->OnRoundTrip(context->loop->NowNs() - start_ns);
  if (batch->rank > 0) {
    TakeCopies(work, *batch, reply.value().presence);
  } else {
    TakeAnswer(work, *batch, &reply.value().presence);
    if (work->shards->of_cluster()) work->copies.Hot(batch->slots, reply.value());
  }
  if (reply.value().lease_id == 0) co_return;
  work->grants.push_back(
      {work->shards->connections[batch->shard], connection->session_number(), reply.value().lease_id});
  work->granted_ms = std::min(work->granted_ms, reply.value().lease_ms);
}

Task<void> AskAll(MatchWork* work, std::vector<KeyBatchOfShard>* batches) {
  if (batches->size() == 1) {
    Task<void> asking = MatchBatch(work, &batches->front());
    co_await asking;
    co_return;
  }
  TaskScope scope(work->context->loop);
  for (KeyBatchOfShard& batch : *batches) scope.Spawn(MatchBatch(work, &batch));
  co_await scope.Join();
}

void JudgeWorth(CallContext* context, MatchResult* result) {
  const TierBytes bytes = BytesToRestore(context->layout(), result->presence, result->longest_tokens());
  result->ram_bytes = bytes.ram;
  result->nvme_bytes = bytes.nvme;
  if (!context->guard->enabled()) return;
  const RecomputeGuard::Verdict verdict =
      context->guard->Judge(result->longest_tokens(), bytes.ram, bytes.nvme, context->loop->NowNs());
  result->worth_loading = verdict.worth_loading;
  result->load_time_us = static_cast<uint64_t>(verdict.load_ns) / 1000;
  result->recompute_time_us = static_cast<uint64_t>(verdict.recompute_ns) / 1000;
  if (!verdict.worth_loading) ++context->counters->guarded_matches;
}

MatchResult Conclude(MatchWork* work) {
  MatchResult result;
  result.presence = std::move(work->presence);
  result.restorable_tokens = RestorableLengths(work->context->layout(), result.presence);
  result.complete = work->complete;
  if (!work->grants.empty()) {
    result.lease_ms = work->granted_ms;
    result.lease = work->context->make_lease(std::move(work->grants));
  }
  JudgeWorth(work->context, &result);
  return result;
}

}  // namespace

absl::Status CheckGroups(const Layout& layout, const std::vector<KeyList>& groups) {
  if (groups.size() > layout.groups.size()) {
    return absl::InvalidArgumentError(
        fmt::format("match: keys for {} groups, layout {} has {}", groups.size(), layout.name, layout.groups.size()));
  }
  uint64_t blocks = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    const KeyList& keys = groups[g];
    const uint64_t limit = std::numeric_limits<uint32_t>::max() / layout.groups[g].block_tokens;
    if (keys.size() > limit) {
      return absl::InvalidArgumentError(
          fmt::format("match: {} keys in group {}, more than {} would pass 2^32 tokens", keys.size(), g, limit));
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      RETURN_IF_ERROR(CheckKey(layout, static_cast<GroupIndex>(g), keys[i], "match: key", i));
    }
    blocks += keys.size();
  }
  if (blocks > std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError(fmt::format("match: {} keys, allowed are fewer than 2^32", blocks));
  }
  return absl::OkStatus();
}

Task<absl::StatusOr<MatchResult>> RunMatch(CallContext* context, MatchRequest request) {
  CO_RETURN_IF_ERROR(CheckGroups(context->layout(), request.groups));
  ++context->counters->matches;
  MatchWork work{.context = context};
  work.deadline_ns = context->DeadlineNs(request.deadline_ms);
  work.stamp_ns = context->Stamp(request.stamp_ns);
  work.lease_ms = request.lease_ms;
  StartPresence(context->layout(), request, &work);
  absl::StatusOr<std::shared_ptr<ShardSet>> shards = co_await context->links->Shards(work.deadline_ns);
  if (!shards.ok()) {
    work.complete = false;
    for (std::vector<Presence>& group : work.presence) group.assign(group.size(), Presence::kMiss);
    co_return Conclude(&work);
  }
  work.shards = *std::move(shards);
  std::vector<KeyBatchOfShard> batches = SplitKeys(work, request);
  Task<void> asking = AskAll(&work, &batches);
  co_await asking;
  if (work.shards->of_cluster()) {
    // Hot blocks, and those of replicas that their owners lack, are looked for at the next nodes too.
    batches = work.copies.Split(context, *work.shards, request.groups, work.presence);
    Task<void> searching = AskAll(&work, &batches);
    co_await searching;
    work.copies.Remember(context, *work.shards, request.groups, work.presence);
  }
  MatchResult result = Conclude(&work);
  // Of a cluster, what is behind a node that is away must not end single flight: the block that decides has an owner.
  if (request.claim_ms > 0 && (result.complete || work.shards->of_cluster())) {
    FlightPlan plan(context->layout(), request.groups, result.presence);
    Flying flying{context, work.shards.get(), &plan, request.claim_ms, work.deadline_ns};
    co_await ClaimMissing(&flying, &result);
  }
  co_return result;
}

}  // namespace incipit
