#include "eviction/leaf_first_lru.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"

namespace incipit {

std::unique_ptr<Policy> MakeLeafFirstLru() { return std::make_unique<LeafFirstLru>(); }

LeafFirstLru::LeafFirstLru() : order_(RunOrder{&runs_}) {}

void LeafFirstLru::OnInsert(BlockId id, const Access& access) {
  INCIPIT_CHECK(id != kNoBlock && !Held(id), absl::StrCat("insert of block ", id, ", which is already held").c_str());
  nodes_.Reach(id);
  Insert(id, {access.stamp_ns, access.depth_tokens});
  ++size_;
}

void LeafFirstLru::OnAccess(BlockId id, const Access& access) {
  INCIPIT_CHECK(Held(id), absl::StrCat("access to block ", id, ", which is not held").c_str());
  if (access.stamp_ns <= runs_[nodes_[id].run].stamp) return;
  Remove(id);
  Insert(id, {access.stamp_ns, access.depth_tokens});
}

void LeafFirstLru::OnAccessRun(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access) {
  Access each = access;
  for (size_t i = 0; i < ids.size();) {
    const uint32_t blocks = WholeRun(ids.subspan(i), depths.subspan(i), access.stamp_ns);
    if (blocks > 0 && MoveRun(nodes_[ids[i]].run, access.stamp_ns)) {
      i += blocks;
      continue;
    }
    each.depth_tokens = depths[i];
    OnAccess(ids[i++], each);
  }
}

// How many of the blocks are a run of an older stamp, from its shallow end to the other; 0 if they begin with none.
uint32_t LeafFirstLru::WholeRun(std::span<const BlockId> ids, std::span<const uint32_t> depths, uint64_t stamp) const {
  INCIPIT_CHECK(Held(ids[0]), absl::StrCat("access to block ", ids[0], ", which is not held").c_str());
  const Run& run = runs_[nodes_[ids[0]].run];
  const bool begins = run.count >= kFewestMoved && run.count <= ids.size() && run.stamp < stamp &&
                      nodes_[run.head].deeper == ids[0] && run.head == ids[run.count - 1];
  if (!begins) return 0;
  for (uint32_t i = 0; i < run.count; ++i) {
    const Node& node = nodes_[ids[i]];
    if (node.depth != depths[i] || (i + 1 < run.count && node.deeper != ids[i + 1])) return 0;
  }
  return run.count;
}

// Makes it the deepest run of `stamp`. False if the run used last is not that, or reaches as deep.
bool LeafFirstLru::MoveRun(RunId run, uint64_t stamp) {
  if (last_run_ == kNoRun || runs_[last_run_].stamp != stamp || runs_[last_run_].limit != kAnyDepth) return false;
  const uint32_t floor = nodes_[runs_[last_run_].head].depth;
  if (floor >= nodes_[nodes_[runs_[run].head].deeper].depth) return false;
  runs_[last_run_].limit = floor;
  order_.erase(run);
  runs_[run].stamp = stamp;
  runs_[run].limit = kAnyDepth;
  const bool inserted = order_.insert(run).second;
  INCIPIT_CHECK(inserted, "two runs of one stamp with the same limit");
  last_floor_ = floor;
  last_run_ = run;
  return true;
}

void LeafFirstLru::Prefetch(BlockId id) const {
  if (id < nodes_.size()) __builtin_prefetch(&nodes_[id], 1);
}

void LeafFirstLru::OnRemove(BlockId id) {
  INCIPIT_CHECK(Held(id), absl::StrCat("removal of block ", id, ", which is not held").c_str());
  Remove(id);
  --size_;
}

BlockId LeafFirstLru::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  for (const RunId run : order_) {
    for (BlockId id = runs_[run].head; id != kNoBlock; id = nodes_[id].shallower) {
      if (max_candidates == 0) return kNoBlock;
      --max_candidates;
      if (evictable(id)) return id;
    }
  }
  return kNoBlock;
}

bool LeafFirstLru::Outranks(BlockId a, BlockId b) const {
  const uint64_t stamp_a = StampOf(a);
  const uint64_t stamp_b = StampOf(b);
  return stamp_a != stamp_b ? stamp_a > stamp_b : nodes_[a].depth < nodes_[b].depth;
}

uint64_t LeafFirstLru::StampOf(BlockId id) const {
  INCIPIT_CHECK(Held(id), absl::StrCat("stamp of block ", id, ", which is not held").c_str());
  return runs_[nodes_[id].run].stamp;
}

uint64_t LeafFirstLru::MemoryBytes() const {
  // A B-tree's nodes are at least half full.
  return nodes_.MemoryBytes() + runs_.capacity() * sizeof(Run) +
         (unused_runs_.capacity() + 2 * order_.size()) * sizeof(RunId);
}

void LeafFirstLru::Insert(BlockId id, Position position) {
  nodes_[id].depth = position.depth;
  const RunId run = RunFor(position);
  if (runs_[run].count == 0) {
    runs_[run].head = id;
    nodes_[id].deeper = id;
    nodes_[id].shallower = kNoBlock;
  } else if (position.depth >= nodes_[runs_[run].head].depth) {
    PushDeepest(run, id);
  } else if (position.depth <= nodes_[nodes_[runs_[run].head].deeper].depth) {
    PushShallowest(run, id);
  } else {
    PushWithin(run, id);
  }
  nodes_[id].run = run;
  if (++runs_[run].count > kRunBlocks) SplitAt(run, id);
}

// The run that holds blocks at `position`, made if there is none; becomes the last run used.
LeafFirstLru::RunId LeafFirstLru::RunFor(Position position) {
  if (last_run_ != kNoRun) {
    const Run& last = runs_[last_run_];
    if (last.stamp == position.stamp && position.depth <= last.limit && position.depth > last_floor_) return last_run_;
  }
  // The last run of those that begin no later than the position.
  const auto after = order_.upper_bound(position);
  last_floor_ = after != order_.end() && runs_[*after].stamp == position.stamp ? int64_t{runs_[*after].limit} : -1;
  last_run_ = after != order_.begin() && runs_[*std::prev(after)].stamp == position.stamp
                  ? *std::prev(after)
                  : NewRun(position.stamp, kAnyDepth);
  return last_run_;
}

LeafFirstLru::RunId LeafFirstLru::NewRun(uint64_t stamp, uint32_t limit) {
  RunId run = static_cast<RunId>(runs_.size());
  if (unused_runs_.empty()) {
    runs_.push_back({});
  } else {
    run = unused_runs_.back();
    unused_runs_.pop_back();
  }
  runs_[run] = {stamp, limit, kNoBlock, 0};
  const bool inserted = order_.insert(run).second;
  INCIPIT_CHECK(inserted, "two runs of one stamp with the same limit");
  return run;
}

void LeafFirstLru::PushDeepest(RunId run, BlockId id) {
  const BlockId head = runs_[run].head;
  nodes_[id].shallower = head;
  nodes_[id].deeper = nodes_[head].deeper;
  nodes_[head].deeper = id;
  runs_[run].head = id;
}

void LeafFirstLru::PushShallowest(RunId run, BlockId id) {
  const BlockId head = runs_[run].head;
  const BlockId tail = nodes_[head].deeper;
  nodes_[id].shallower = kNoBlock;
  nodes_[id].deeper = tail;
  nodes_[tail].shallower = id;
  nodes_[head].deeper = id;
}

// In front of the first block that is no deeper. REQUIRES: neither head nor tail is the place.
void LeafFirstLru::PushWithin(RunId run, BlockId id) {
  BlockId after = runs_[run].head;
  while (nodes_[after].depth > nodes_[id].depth) after = nodes_[after].shallower;
  const BlockId before = nodes_[after].deeper;
  nodes_[id].shallower = after;
  nodes_[id].deeper = before;
  nodes_[before].shallower = id;
  nodes_[after].deeper = id;
}

void LeafFirstLru::Remove(BlockId id) {
  Node& node = nodes_[id];
  const RunId run_id = node.run;
  Run& run = runs_[run_id];
  if (--run.count == 0) {
    order_.erase(run_id);
    unused_runs_.push_back(run_id);
    if (last_run_ == run_id) last_run_ = kNoRun;
  } else if (run.head == id) {
    run.head = node.shallower;
    nodes_[node.shallower].deeper = node.deeper;
  } else {
    nodes_[node.deeper].shallower = node.shallower;
    const BlockId follower = node.shallower != kNoBlock ? node.shallower : run.head;
    nodes_[follower].deeper = node.deeper;
  }
  node.run = kNoRun;
}

// Cuts an overfull run in two next to `id`, which was just inserted, between blocks of different depth: nowhere if all
// are equally deep. A block added at an end goes alone, or with its equals, which leaves full runs behind a growing
// chain. The part with `id` becomes a new run and the last one used. Walks at most kRunBlocks blocks, because a longer
// run held one depth only until `id` came.
void LeafFirstLru::SplitAt(RunId run, BlockId id) {
  const BlockId head = runs_[run].head;
  const BlockId tail = nodes_[head].deeper;
  const uint32_t depth = nodes_[id].depth;
  if (nodes_[head].depth == nodes_[tail].depth) return;
  if (depth == nodes_[head].depth) {
    BlockId rest = id;
    while (nodes_[rest].depth == depth) rest = nodes_[rest].shallower;
    const BlockId last = nodes_[rest].deeper;
    // The new run takes over the old one's limit; the rest keeps its place in the order, below it.
    const uint32_t limit = runs_[run].limit;
    runs_[run].limit = nodes_[rest].depth;
    runs_[run].head = rest;
    nodes_[rest].deeper = tail;
    last_floor_ = nodes_[rest].depth;
    last_run_ = NewRun(runs_[run].stamp, limit);
    MoveToLastRun(run, head, last);
    return;
  }
  BlockId first = id;
  while (nodes_[nodes_[first].deeper].depth == depth) first = nodes_[first].deeper;
  const BlockId before = nodes_[first].deeper;
  nodes_[before].shallower = kNoBlock;
  nodes_[head].deeper = before;
  last_run_ = NewRun(runs_[run].stamp, depth);
  MoveToLastRun(run, first, tail);
}

// Makes the chain from `first` to `last` the content of the run used last.
void LeafFirstLru::MoveToLastRun(RunId from, BlockId first, BlockId last) {
  nodes_[last].shallower = kNoBlock;
  nodes_[first].deeper = last;
  runs_[last_run_].head = first;
  for (BlockId at = first; at != kNoBlock; at = nodes_[at].shallower) {
    nodes_[at].run = last_run_;
    ++runs_[last_run_].count;
    --runs_[from].count;
  }
}

}  // namespace incipit
