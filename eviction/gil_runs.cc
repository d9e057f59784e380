// Many touches of one request at once: what was touched together before moves together, and is looked at but once.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "eviction/gil.h"

namespace incipit {

void GilPolicy::OnAccessRun(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access) {
  Access each = access;
  for (size_t i = 0; i < ids.size();) {
    const size_t blocks = Chain(ids.subspan(i), depths.subspan(i), access);
    if (blocks < kShortestChain) {
      each.depth_tokens = depths[i];
      OnAccess(ids[i++], each);
      continue;
    }
    MoveChain(ids.subspan(i, blocks), access);
    i += blocks;
  }
}

// How many of the blocks, from the first, one older request touched one after the other and as often as each other,
// before the model does more than count; 0 if this request has touched deeper ones already.
size_t GilPolicy::Chain(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access) {
  INCIPIT_CHECK(Held(ids[0]), absl::StrCat("access to block ", ids[0], ", which is not held").c_str());
  const SegmentId segment = nodes_[ids[0]].segment;
  if (segments_[segment].stamp_ns >= access.stamp_ns || nodes_[ids[0]].depth != depths[0]) return 0;
  const RequestInHand* request = InHand(access.stamp_ns);
  if (request->group != kNone) {  // perhaps another's by now, which then costs this run its speed
    const Group& group = groups_[request->group];
    if (group.blocks > 0 && nodes_[group.deepest].depth >= depths[0]) return 0;
  }
  const uint8_t touches = touches_[ids[0]].count;
  const size_t most = std::min<uint64_t>(ids.size(), model_->TouchesLeft());
  size_t blocks = 1;
  while (blocks < most && nodes_[ids[blocks - 1]].deeper == ids[blocks]) {
    const Node& node = nodes_[ids[blocks]];
    if (node.segment != segment || node.depth != depths[blocks] || touches_[ids[blocks]].count != touches) break;
    ++blocks;
  }
  return blocks;
}

// Behind what the request has touched so far. REQUIRES: see Chain; more than one block.
void GilPolicy::MoveChain(std::span<const BlockId> chain, const Access& access) {
  const auto blocks = static_cast<uint32_t>(chain.size());
  const SegmentId from = nodes_[chain[0]].segment;
  const GroupId old_group = nodes_[chain[0]].group;
  now_ns_ = std::max(now_ns_, access.stamp_ns);
  const uint64_t gap_ns = access.stamp_ns - segments_[from].stamp_ns;
  Learn(segments_[from], /*lost=*/false, blocks);
  const uint8_t before = touches_[chain[0]].count;
  const uint8_t touches = before < kMostTouches ? before + 1 : before;
  const ReuseModel::ClassId klass = ClassOf(access, touches, gap_ns);
  RequestInHand* request = InHand(access.stamp_ns);
  const SegmentId segment = SegmentFor(request, klass);
  const GroupId to = GroupFor(request, access.cost != nullptr ? access.cost : &options_.cost);
  CutOut(chain.front(), chain.back(), blocks);
  Group& group = groups_[to];
  nodes_[chain.front()].shallower = group.deepest;
  nodes_[chain.back()].deeper = kNoBlock;
  (group.deepest == kNoBlock ? group.shallowest : nodes_[group.deepest].deeper) = chain.front();
  group.deepest = chain.back();
  for (const BlockId id : chain) {
    nodes_[id].group = to;
    nodes_[id].segment = segment;
    touches_[id].count = touches;
  }
  NoteLeaf(&group);
  if (group.blocks == 0) {
    group.place = static_cast<uint32_t>(live_groups_.size());
    live_groups_.push_back(to);
  }
  group.blocks += blocks;
  if (groups_[old_group].blocks == 0) EndGroup(old_group);
  segments_[segment].waiting += blocks;
  segments_[from].waiting -= blocks;
  if (segments_[from].waiting == 0) unused_segments_.push_back(from);
  model_->Begin(blocks);
}

// Out of their group, which may have no blocks then.
void GilPolicy::CutOut(BlockId first, BlockId last, uint32_t blocks) {
  Group& group = groups_[nodes_[first].group];
  const BlockId shallower = nodes_[first].shallower, deeper = nodes_[last].deeper;
  (deeper == kNoBlock ? group.deepest : nodes_[deeper].shallower) = shallower;
  (shallower == kNoBlock ? group.shallowest : nodes_[shallower].deeper) = deeper;
  group.blocks -= blocks;
  if (group.blocks > 0 && deeper == kNoBlock) NoteLeaf(&group);
}

// The group has no blocks any more.
void GilPolicy::EndGroup(GroupId id) {
  const GroupId moved = live_groups_.back();
  live_groups_[groups_[id].place] = moved;
  groups_[moved].place = groups_[id].place;
  live_groups_.pop_back();
  unused_groups_.push_back(id);
  if (last_victim_ == id) last_victim_ = kNone;
}

}  // namespace incipit
