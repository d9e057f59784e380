#include "cache/shard/heat_table.h"

#include <algorithm>

namespace incipit {

void HeatTable::OnLoad(BlockId block, uint64_t bytes, int64_t now_ns) {
  if (!enabled()) return;
  Roll(now_ns);
  const auto found = blocks_.find(block);
  if (found != blocks_.end()) {
    found->second.bytes += bytes;
  } else if (blocks_.size() < options_.max_blocks) {
    blocks_[block].bytes = bytes;
  }
}

uint8_t HeatTable::CopiesOf(BlockId block, int64_t now_ns) {
  if (!enabled() || blocks_.empty()) return 0;
  Roll(now_ns);
  const auto found = blocks_.find(block);
  return found == blocks_.end() ? 0 : found->second.copies;
}

// Readers spread evenly over a block and its copies, so that what is asked for in all is what is seen here times as
// many as there are. One copy is given back at a time, and late, or the copies would come and go.
uint8_t HeatTable::NextCopies(const Heat& heat, double seconds) const {
  const double bound = static_cast<double>(options_.block_bytes_per_s);
  const double whole = static_cast<double>(heat.bytes) / seconds * (heat.copies + 1);
  const auto wanted = static_cast<uint8_t>(
      std::min<double>(whole / bound, std::min<uint32_t>(options_.max_copies, wire::kMaxHotCopies)));
  if (wanted >= heat.copies) return wanted;
  return whole < bound * heat.copies / 2 ? static_cast<uint8_t>(heat.copies - 1) : heat.copies;
}

void HeatTable::Roll(int64_t now_ns) {
  const int64_t elapsed_ns = now_ns - window_start_ns_;
  if (elapsed_ns < options_.window_ns) return;
  const double seconds = static_cast<double>(elapsed_ns) / 1e9;
  hot_blocks_ = 0;
  for (auto entry = blocks_.begin(); entry != blocks_.end();) {
    Heat& heat = entry->second;
    heat.copies = NextCopies(heat, seconds);
    hot_blocks_ += heat.copies > 0;
    if (heat.bytes == 0 && heat.copies == 0) {
      blocks_.erase(entry++);
      continue;
    }
    heat.bytes = 0;
    ++entry;
  }
  window_start_ns_ = now_ns;
}

}  // namespace incipit
