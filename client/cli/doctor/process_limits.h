// Limits of this process that a node depends on.
#pragma once

#include <cstdint>
#include <limits>

namespace incipit {

struct ProcessLimits {
  static constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

  uint64_t memlock_bytes = kUnlimited;
  bool can_exceed_memlock = false;  // holds CAP_IPC_LOCK: the limit does not bind it
  uint64_t open_files = kUnlimited;
  uint64_t open_files_hard = kUnlimited;

  // Those of the calling process.
  static ProcessLimits Current();
};

}  // namespace incipit
