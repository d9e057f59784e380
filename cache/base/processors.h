// How many processors there are for this process.
#pragma once

#include <cstdint>

namespace incipit {

// Those that the calling thread may run on, which taskset and a container's cpuset narrow: at least 1. A share of
// processor time (a cgroup's quota) is not looked at.
uint32_t UsableProcessors();

}  // namespace incipit
