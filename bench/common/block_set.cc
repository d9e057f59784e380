#include "bench/common/block_set.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "bench/common/payload.h"
#include "cache/base/check.h"
#include "cache/base/xxh3.h"

namespace incipit::bench {
namespace {

// First block of the group that a restore at `tokens` needs; the last one ends at `tokens`.
uint64_t FirstNeeded(const GroupSpec& group, uint64_t tokens) {
  switch (group.rule) {
    case HitRule::kAll:
      return 0;
    case HitRule::kWindow:
      return tokens > group.window_tokens ? (tokens - group.window_tokens) / group.block_tokens : 0;
    case HitRule::kCheckpoint:
      return tokens / group.block_tokens - 1;
  }
  return 0;
}

uint64_t BytesForTokens(const Layout& layout, uint64_t tokens) {
  uint64_t bytes = 0;
  for (const GroupSpec& group : layout.groups) {
    bytes += (tokens / group.block_tokens - FirstNeeded(group, tokens)) * group.BlockBytes();
  }
  return bytes;
}

}  // namespace

BlockSet BlockSet::Make(const Layout& layout, uint64_t tokens, const KeyOf& key_of) {
  BlockSet set;
  set.layout = layout;
  set.tokens = tokens - tokens % layout.RestoreStepTokens();
  set.keys.resize(layout.groups.size());
  if (set.tokens == 0) return set;
  const LayoutFingerprint fingerprint = layout.Fingerprint();
  for (size_t g = 0; g < layout.groups.size(); ++g) {
    const GroupSpec& group = layout.groups[g];
    const auto group_index = static_cast<GroupIndex>(g);
    const auto count = static_cast<uint32_t>(set.tokens / group.block_tokens);
    for (uint32_t i = 0; i < count; ++i) set.keys[g].push_back(key_of(group_index, i));
    for (auto i = static_cast<uint32_t>(FirstNeeded(group, set.tokens)); i < count; ++i) {
      const uint64_t seed = PayloadSeed(fingerprint, group_index, set.keys[g][i].bytes());
      set.blocks.push_back({group_index, i, i * group.block_tokens, group.BlockBytes(), seed});
      set.bytes += group.BlockBytes();
    }
  }
  return set;
}

std::vector<KeyList> BlockSet::KeyLists() const { return {keys.begin(), keys.end()}; }

uint64_t TokensForBytes(const Layout& layout, uint64_t bytes) {
  const uint64_t step = layout.RestoreStepTokens();
  uint64_t steps = 1;
  while (BytesForTokens(layout, steps * step) < bytes && steps < (uint64_t{1} << 32)) steps *= 2;
  uint64_t too_few = steps / 2;
  while (steps - too_few > 1) {
    const uint64_t middle = too_few + (steps - too_few) / 2;
    (BytesForTokens(layout, middle * step) < bytes ? too_few : steps) = middle;
  }
  return steps * step;
}

BlockKey SyntheticKey(uint64_t space, uint64_t number) {
  std::array<uint8_t, 32> key;
  for (uint64_t half = 0; half < 2; ++half) {
    const std::array<uint64_t, 3> message = {space, number, half};
    const Hash128 hash = Xxh3Of128({reinterpret_cast<const uint8_t*>(message.data()), sizeof(message)});
    std::memcpy(key.data() + half * sizeof(hash), &hash, sizeof(hash));
  }
  return BlockKey(key);
}

std::vector<std::span<const PlannedBlock>> CutIntoBatches(std::span<const PlannedBlock> blocks, uint64_t bytes) {
  std::vector<std::span<const PlannedBlock>> batches;
  size_t start = 0;
  uint64_t taken = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i > start && blocks[i].bytes > bytes - std::min(bytes, taken)) {
      batches.push_back(blocks.subspan(start, i - start));
      start = i;
      taken = 0;
    }
    taken += blocks[i].bytes;
  }
  if (start < blocks.size()) batches.push_back(blocks.subspan(start));
  return batches;
}

}  // namespace incipit::bench
