// How much memory a simulation takes, so that those that run together stay within bounds.
#pragma once

#include <cstdint>
#include <string>

#include "eviction/sim/prefix_trace.h"

namespace incipit::bench {

inline constexpr uint64_t kSimulationBudgetBytes = uint64_t{1300} << 20;  // of simulations that run at one time

// At most, of one simulation beside the trace. Pure.
uint64_t SimulationMemoryBytes(const std::string& policy, uint64_t capacity_blocks, const PrefixTrace& trace);

}  // namespace incipit::bench
