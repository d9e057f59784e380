#include "cache/base/processors.h"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace incipit {

uint32_t UsableProcessors() {
  cpu_set_t set;
  // Fails on a machine of more than 1,024 processors, where whatever is chosen by this number has reached its limit.
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return std::max(std::thread::hardware_concurrency(), 1u);
  return static_cast<uint32_t>(std::max(CPU_COUNT(&set), 1));
}

}  // namespace incipit
