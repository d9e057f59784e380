// Which blocks are loaded so much that one shard should not send them alone: measures what each block takes, and says
// how many copies more would bring it below its bound. docs/placement.md, "Hot copies". And which are loaded most.
#pragma once

#include <cstdint>
#include <vector>

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

// One thread: the shard's. About 60 bytes a block that was loaded of late; a hash look-up for each
// load, and a pass over all of them for each window. Marks are advice: a block that takes the number of one that is
// gone may inherit its mark for a window.
class HeatTable {
 public:
  explicit HeatTable(const HeatOptions& options) : options_(options) {}

  // `stamp_ns`: of the request.
  void OnLoad(BlockId block, uint64_t bytes, int64_t now_ns, uint64_t stamp_ns = 0);
  // How many copies beside it the block should have; 0: it is not hot.
  uint8_t CopiesOf(BlockId block, int64_t now_ns);
  // Of a hot block that a reader has just been told of, who will load its `bytes` from whichever copy has the turn.
  uint8_t TakeTurn(BlockId block, uint64_t bytes);
  // Hot blocks, as of the last window; 0 once nothing has been loaded for some.
  uint64_t hot_blocks(int64_t now_ns) const {
    return now_ns - window_start_ns_ > 4 * options_.window_ns ? 0 : hot_blocks_;
  }

  struct Hot {
    BlockId block = 0;
    uint64_t bytes_per_s = 0;  // of the last seconds, the latest counting most
    uint64_t stamp_ns = 0;     // of the request that loaded it last
    uint8_t copies = 0;
  };
  // The blocks that are loaded most, hottest first, at most `count`. Looks at all that are measured.
  std::vector<Hot> Hottest(size_t count, int64_t now_ns);

 private:
  struct Heat {
    uint64_t bytes = 0;       // in this window
    uint64_t told_bytes = 0;  // that readers who were given a turn in it will load, here or elsewhere
    uint64_t stamp_ns = 0;
    double bytes_per_s = 0;  // of the windows before, the latest counting most
    uint8_t copies = 0;
    uint8_t turn = 0;
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
