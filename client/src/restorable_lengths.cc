#include "client/src/restorable_lengths.h"

#include <algorithm>
#include <limits>

#include "cache/base/check.h"
#include "client/include/incipit/client.h"

namespace incipit {
namespace {

struct BlockRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};

// The blocks of a group that a restore at `tokens`, a multiple of the group's block size, needs.
BlockRange NeededBlocks(const GroupSpec& group, uint64_t tokens) {
  const uint64_t end = tokens / group.block_tokens;
  switch (group.rule) {
    case HitRule::kAll:
      return {0, end};
    case HitRule::kWindow:
      return {tokens > group.window_tokens ? (tokens - group.window_tokens) / group.block_tokens : 0, end};
    case HitRule::kCheckpoint:
      return {end - 1, end};
  }
  return {0, end};
}

// Walks one group's blocks once while the lengths asked about ascend.
class GroupWalk {
 public:
  GroupWalk(const GroupSpec& group, const std::vector<wire::Presence>& presence) : group_(group), presence_(presence) {}

  bool Restorable(uint64_t tokens) {
    const BlockRange needed = NeededBlocks(group_, tokens);
    for (; next_ < needed.end; ++next_) {
      if (presence_[next_] == wire::Presence::kMiss) after_last_miss_ = next_ + 1;
    }
    return after_last_miss_ <= needed.begin;
  }
  // No longer length can be restored either.
  bool Over() const { return group_.rule == HitRule::kAll && after_last_miss_ > 0; }
  uint64_t covered_tokens() const { return static_cast<uint64_t>(presence_.size()) * group_.block_tokens; }

 private:
  const GroupSpec& group_;
  const std::vector<wire::Presence>& presence_;
  uint64_t next_ = 0;
  uint64_t after_last_miss_ = 0;  // 0 = none missing so far
};

}  // namespace

std::vector<uint64_t> RestorableLengths(const Layout& layout, const GroupPresence& presence) {
  INCIPIT_CHECK(presence.size() == layout.groups.size(), "one presence vector per group");
  std::vector<GroupWalk> walks;
  uint64_t limit_tokens = std::numeric_limits<uint64_t>::max();
  for (size_t g = 0; g < layout.groups.size(); ++g) {
    walks.emplace_back(layout.groups[g], presence[g]);
    limit_tokens = std::min(limit_tokens, walks.back().covered_tokens());
  }
  const uint64_t step_tokens = layout.RestoreStepTokens();
  std::vector<uint64_t> lengths;
  lengths.reserve(limit_tokens / step_tokens);
  for (uint64_t tokens = step_tokens; tokens <= limit_tokens; tokens += step_tokens) {
    bool restorable = true;
    bool over = false;
    for (GroupWalk& walk : walks) {
      restorable &= walk.Restorable(tokens);
      over |= walk.Over();
    }
    if (restorable) lengths.push_back(tokens);
    if (over) break;
  }
  return lengths;
}

TierBytes BytesToRestore(const Layout& layout, const GroupPresence& presence, uint64_t tokens) {
  TierBytes bytes;
  if (tokens == 0) return bytes;
  for (size_t g = 0; g < layout.groups.size(); ++g) {
    const BlockRange needed = NeededBlocks(layout.groups[g], tokens);
    const uint64_t block_bytes = layout.groups[g].BlockBytes();
    for (uint64_t i = needed.begin; i < needed.end; ++i) {
      (presence[g][i] == wire::Presence::kNvme ? bytes.nvme : bytes.ram) += block_bytes;
    }
  }
  return bytes;
}

uint64_t RestorableTokens(const Layout& layout, const LoadRequest& request, const LoadResult& result) {
  constexpr size_t kMaxChainBlocks = 1 << 22;  // more than any context window has
  GroupPresence presence(layout.groups.size());
  for (size_t i = 0; i < request.items.size() && i < result.status.size(); ++i) {
    const LoadItem& item = request.items[i];
    if (item.group >= layout.groups.size()) continue;
    std::vector<wire::Presence>& blocks = presence[item.group];
    const size_t block = item.depth_tokens / layout.groups[item.group].block_tokens;
    if (block >= kMaxChainBlocks) continue;
    if (block >= blocks.size()) blocks.resize(block + 1, wire::Presence::kMiss);
    if (result.status[i] == wire::BlockStatus::kOk) blocks[block] = result.tier[i];
  }
  const std::vector<uint64_t> lengths = RestorableLengths(layout, presence);
  return lengths.empty() ? 0 : lengths.back();
}

}  // namespace incipit
