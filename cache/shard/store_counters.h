// What a shard counts. Plain numbers of the shard's thread; others see copies. Names are those of the metrics.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cache/nvme/nvme_tier.h"
#include "cache/ram/arena.h"

namespace incipit {

struct StoreCounters {
  uint64_t blocks_stored = 0, blocks_already_present = 0, conflicts = 0, store_refused_no_room = 0;
  uint64_t index_collisions = 0, damaged_in_ram = 0, damaged_on_nvme = 0, damaged_on_arrival = 0;
  uint64_t evicted_from_ram = 0, evicted_from_nvme = 0, demoted = 0, demotions_failed = 0, dropped_as_spare = 0;
  uint64_t over_write_budget = 0;
  uint64_t backed_up = 0, promoted = 0, promotions_skipped = 0, removed = 0, lost_in_reclaim = 0;
  uint64_t nvme_read_failures = 0;
};

struct StoreGauges {
  uint64_t blocks = 0, blocks_in_ram = 0, blocks_in_nvme_only = 0, dirty_blocks = 0;
  uint64_t writing_bytes = 0, metadata_bytes = 0, namespaces = 0;
  bool recovered = true;
  ArenaStats arena;
  bool has_nvme = false;
  NvmeStats nvme;
};

}  // namespace incipit
