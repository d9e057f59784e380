// The most that any policy could hit: Belady's MIN, which evicts what is used again last.
#pragma once

#include <cstdint>
#include <functional>

#include "eviction/sim/hit_totals.h"
#include "eviction/sim/next_use.h"

namespace incipit {

// Of blocks used again by one request the deepest goes first, which makes MIN exactly optimal in blocks for workloads
// of prefixes. A block that is never used again is not kept at all. A request enters whole, then the cache is cut back.
//
// Blocks with one next use are a run of that request's chain, so the cache is kept as one range for each request to
// come. Costs O(pieces x log requests) a request: far less than a step for each block. `progress` is called with the
// number of requests done, now and then; it may be empty. Any thread.
HitTotals SimulateMin(const PrefixTrace& trace, const NextUse& next_use, uint64_t capacity_blocks,
                      const CostModel& cost, const std::function<void(uint64_t)>& progress = {});

}  // namespace incipit
