// Leaf-first LRU at all sizes in one pass.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "eviction/sim/hit_totals.h"

namespace incipit {

// Exactly what LeafFirstLru hits in caches of the given sizes that a request enters whole before they are cut back.
//
// LRU holds at any size what it holds at a smaller one, so a block is hit where the size is at least its *stack
// distance*: one more than the number of blocks that outrank it, those touched by later requests than its last one and
// the shallower of its own. A chain falls into few runs of blocks last touched by one request; each costs one sum in a
// Fenwick tree over requests. Costs some 10 ns a block and O(runs x log requests) a request. Memory: 4 bytes for each
// distinct block, 8 for each request. `progress` as in SimulateMin. Any thread.
std::vector<HitTotals> SimulateLru(const PrefixTrace& trace, std::span<const uint64_t> capacities,
                                   const CostModel& cost, const std::function<void(uint64_t)>& progress = {});

}  // namespace incipit
