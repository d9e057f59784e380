#include "cache/shard/heat_table.h"

#include <algorithm>
#include <cmath>

namespace incipit {
namespace {

// After so long without a load half of a block's rate is left. Longer than a window, so that what is loaded every few
// seconds does not come and go.
constexpr double kHalfLifeS = 2;
constexpr double kColdBytesPerS = 1;

}  // namespace

void HeatTable::OnLoad(BlockId block, uint64_t bytes, int64_t now_ns, uint64_t stamp_ns) {
  if (!enabled()) return;
  Roll(now_ns);
  const auto found = blocks_.find(block);
  if (found != blocks_.end()) {
    found->second.bytes += bytes;
    found->second.stamp_ns = stamp_ns;
  } else if (blocks_.size() < options_.max_blocks) {
    blocks_[block] = {.bytes = bytes, .stamp_ns = stamp_ns};
  }
}

std::vector<HeatTable::Hot> HeatTable::Hottest(size_t count, int64_t now_ns) {
  if (!enabled()) return {};
  Roll(now_ns);
  std::vector<Hot> all;
  for (const auto& [block, heat] : blocks_) {
    if (heat.bytes_per_s < kColdBytesPerS) continue;
    all.push_back({block, static_cast<uint64_t>(heat.bytes_per_s), heat.stamp_ns, heat.copies});
  }
  const auto end = all.begin() + static_cast<ptrdiff_t>(std::min(count, all.size()));
  std::partial_sort(all.begin(), end, all.end(), [](const Hot& a, const Hot& b) {
    return a.bytes_per_s != b.bytes_per_s ? a.bytes_per_s > b.bytes_per_s : a.block < b.block;
  });
  all.erase(end, all.end());
  return all;
}

uint8_t HeatTable::CopiesOf(BlockId block, int64_t now_ns) {
  if (!enabled() || blocks_.empty()) return 0;
  Roll(now_ns);
  const auto found = blocks_.find(block);
  return found == blocks_.end() ? 0 : found->second.copies;
}

uint8_t HeatTable::TakeTurn(BlockId block, uint64_t bytes) {
  const auto found = blocks_.find(block);
  if (found == blocks_.end()) return 0;
  found->second.told_bytes += bytes;
  return found->second.turn++;
}

// Readers without turns spread evenly over a block and its copies, so that what is asked for in all is what is seen
// here times as many as there are. Those with turns may leave the owner out, and are counted when they are told. One
// copy is given back at a time, and late, or the copies would come and go.
uint8_t HeatTable::NextCopies(const Heat& heat, double seconds) const {
  const double bound = static_cast<double>(options_.block_bytes_per_s);
  const double whole =
      std::max(static_cast<double>(heat.bytes) * (heat.copies + 1), static_cast<double>(heat.told_bytes)) / seconds;
  const auto wanted = static_cast<uint8_t>(
      std::min<double>(whole / bound, std::min<uint32_t>(options_.max_copies, wire::kMaxHotCopies)));
  if (wanted >= heat.copies) return wanted;
  return whole < bound * heat.copies / 2 ? static_cast<uint8_t>(heat.copies - 1) : heat.copies;
}

void HeatTable::Roll(int64_t now_ns) {
  const int64_t elapsed_ns = now_ns - window_start_ns_;
  if (elapsed_ns < options_.window_ns) return;
  const double seconds = static_cast<double>(elapsed_ns) / 1e9;
  const double kept = std::exp2(-seconds / kHalfLifeS);
  // What is not loaded any more is only remembered while there is room.
  const bool crowded = 2 * blocks_.size() > options_.max_blocks;
  hot_blocks_ = 0;
  for (auto entry = blocks_.begin(); entry != blocks_.end();) {
    Heat& heat = entry->second;
    heat.copies = NextCopies(heat, seconds);
    hot_blocks_ += heat.copies > 0;
    heat.bytes_per_s = heat.bytes_per_s * kept + static_cast<double>(heat.bytes) / seconds * (1 - kept);
    if (heat.bytes == 0 && heat.copies == 0 && (crowded || heat.bytes_per_s < kColdBytesPerS)) {
      blocks_.erase(entry++);
      continue;
    }
    heat.bytes = heat.told_bytes = 0;
    ++entry;
  }
  window_start_ns_ = now_ns;
}

}  // namespace incipit
