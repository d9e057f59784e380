// Which blocks are loaded so much that one shard should not send them alone: measures what each block takes, and says
// how many copies more would bring it below its bound. docs/placement.md, "Hot copies".
#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "cache/shard/entry.h"
#include "transport/wire/messages.h"

namespace incipit {

struct HeatOptions {
  // Of one block; above it, another copy is worth its room. 0: nothing is ever hot.
  uint64_t block_bytes_per_s = 256ull << 20;
  uint32_t max_copies = 7;  // beside the block itself; at most wire::kMaxHotCopies
  int64_t window_ns = 500'000'000;
  size_t max_blocks = 8192;  // measured at a time; others are not hot
};

// One thread: the shard's. About 40 bytes a block that was loaded in the last two windows; a hash look-up for each
// load, and a pass over all of them for each window. Marks are advice: a block that takes the number of one that is
// gone may inherit its mark for a window.
class HeatTable {
 public:
  explicit HeatTable(const HeatOptions& options) : options_(options) {}

  void OnLoad(BlockId block, uint64_t bytes, int64_t now_ns);
  // How many copies beside it the block should have; 0: it is not hot.
  uint8_t CopiesOf(BlockId block, int64_t now_ns);
  // Hot blocks, as of the last window; 0 once nothing has been loaded for some.
  uint64_t hot_blocks(int64_t now_ns) const {
    return now_ns - window_start_ns_ > 4 * options_.window_ns ? 0 : hot_blocks_;
  }

 private:
  struct Heat {
    uint64_t bytes = 0;  // in this window
    uint8_t copies = 0;
  };
  bool enabled() const { return options_.block_bytes_per_s > 0 && options_.max_copies > 0; }
  void Roll(int64_t now_ns);
  uint8_t NextCopies(const Heat& heat, double seconds) const;

  HeatOptions options_;
  int64_t window_start_ns_ = 0;
  uint64_t hot_blocks_ = 0;
  absl::flat_hash_map<BlockId, Heat> blocks_;
};

}  // namespace incipit
