// Claiming what a match found missing: the first block decides, the rest follows.
#pragma once

#include "client/src/core/call_context.h"
#include "client/src/core/flight_plan.h"

namespace incipit {

// What a claim needs of the call that makes it, and must not outlive.
struct Flying {
  CallContext* context = nullptr;
  ShardSet* shards = nullptr;
  FlightPlan* plan = nullptr;
  uint32_t claim_ms = 0;
  int64_t deadline_ns = 0;
};

// Claims the first missing part behind the longest restorable length, and if that is granted all that follow, each at
// its shard and all at once. Fills flight, claim, claim_ms and computing_ms of `result`; presence and lengths too where
// blocks were found to be here by now. Two round trips. Never fails: what goes wrong is kNone.
Task<void> ClaimMissing(Flying* flying, MatchResult* result);

// Makes `result` say what the plan knows: presence and restorable lengths.
void TakePresence(const Flying& flying, MatchResult* result);

}  // namespace incipit
