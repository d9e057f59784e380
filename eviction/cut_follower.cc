#include "eviction/cut_follower.h"

#include <algorithm>
#include <utility>

namespace incipit {
namespace {

// Clients choose stamps and the order of depths: a block that has not found its place by then takes the one it has got
// to.
constexpr int kMaxSteps = 64;
constexpr size_t kDeathsPerBlock = 2;
constexpr size_t kShortestChain = 8;  // fewer blocks go one by one

}  // namespace

CutFollower::CutFollower(std::unique_ptr<Policy> within, std::shared_ptr<CutBoard> board)
    : within_(std::move(within)), within_by_runs_(dynamic_cast<RunPolicy*>(within_.get())), board_(std::move(board)) {}

void CutFollower::OnInsert(BlockId id, const Access& access) {
  within_->OnInsert(id, access);
  nodes_.Reach(id);
  Link(id, access);
}

void CutFollower::OnAccess(BlockId id, const Access& access) {
  const uint64_t before_ns = IsDead(id) ? within_->StampOf(id) : requests_[nodes_[id].request].stamp_ns;
  within_->OnAccess(id, access);
  if (access.stamp_ns <= before_ns) return;
  if (!IsDead(id)) Unlink(id);
  Link(id, access);
}

void CutFollower::OnAccessRun(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access) {
  Access each = access;
  for (size_t i = 0; i < ids.size();) {
    const size_t blocks = within_by_runs_ == nullptr ? 0 : Chain(ids.subspan(i), depths.subspan(i), access);
    if (blocks < kShortestChain) {
      each.depth_tokens = depths[i];
      OnAccess(ids[i++], each);
      continue;
    }
    within_by_runs_->OnAccessRun(ids.subspan(i, blocks), depths.subspan(i, blocks), access);
    MoveChain(ids.subspan(i, blocks), RequestOf(access.stamp_ns));
    i += blocks;
  }
}

// How many of the blocks, from the first, an older request touched last, one after the other, as this one does now; 0
// if this request has touched deeper ones already.
size_t CutFollower::Chain(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access) const {
  const RequestId request = nodes_[ids[0]].request;
  if (IsDead(ids[0]) || requests_[request].stamp_ns >= access.stamp_ns || nodes_[ids[0]].depth_tokens != depths[0]) {
    return 0;
  }
  if (const auto now = by_stamp_.find(access.stamp_ns); now != by_stamp_.end()) {
    if (nodes_[requests_[now->second].deepest].depth_tokens >= depths[0]) return 0;
  }
  size_t blocks = 1;
  while (blocks < ids.size() && nodes_[ids[blocks - 1]].deeper == ids[blocks] &&
         nodes_[ids[blocks]].depth_tokens == depths[blocks]) {
    ++blocks;
  }
  return blocks;
}

// Behind the deepest block that the request `to` has touched. REQUIRES: see Chain.
void CutFollower::MoveChain(std::span<const BlockId> chain, RequestId to) {
  const BlockId first = chain.front(), last = chain.back();
  const RequestId from = nodes_[first].request;
  Touched& before = requests_[from];
  const BlockId shallower = nodes_[first].shallower, deeper = nodes_[last].deeper;
  (deeper == kNoBlock ? before.deepest : nodes_[deeper].shallower) = shallower;
  (shallower == kNoBlock ? before.shallowest : nodes_[shallower].deeper) = deeper;
  Touched& now = requests_[to];
  nodes_[first].shallower = now.deepest;
  nodes_[last].deeper = kNoBlock;
  (now.deepest == kNoBlock ? now.shallowest : nodes_[now.deepest].deeper) = first;
  now.deepest = last;
  for (const BlockId id : chain) nodes_[id].request = to;
  if (before.deepest != kNoBlock) return;
  by_stamp_.erase(before.stamp_ns);
  unused_requests_.push_back(from);
}

void CutFollower::Prefetch(BlockId id) const {
  within_->Prefetch(id);
  if (id < nodes_.size()) __builtin_prefetch(&nodes_[id], 1);
}

void CutFollower::OnRemove(BlockId id) {
  if (!IsDead(id)) {
    const Touched request = requests_[nodes_[id].request];
    const uint32_t depth_tokens = nodes_[id].depth_tokens;
    const bool is_news = depth_tokens < request.cut_depth;
    if (is_news) board_->Post({request.stamp_ns, depth_tokens});
    Unlink(id);
    if (is_news) Kill(request.stamp_ns, depth_tokens);
  }
  nodes_[id] = {};
  within_->OnRemove(id);
}

CutFollower::RequestId CutFollower::RequestOf(uint64_t stamp_ns) {
  const bool is_last = last_request_ != kGone && requests_[last_request_].stamp_ns == stamp_ns &&
                       requests_[last_request_].deepest != kNoBlock;
  if (!is_last) last_request_ = FindOrMakeRequest(stamp_ns);
  return last_request_;
}

CutFollower::RequestId CutFollower::FindOrMakeRequest(uint64_t stamp_ns) {
  const auto [at, is_new] = by_stamp_.try_emplace(stamp_ns, static_cast<RequestId>(requests_.size()));
  if (!is_new) return at->second;
  if (unused_requests_.empty()) {
    requests_.emplace_back();
  } else {
    at->second = unused_requests_.back();
    unused_requests_.pop_back();
  }
  requests_[at->second] = {.stamp_ns = stamp_ns};
  return at->second;
}

void CutFollower::Link(BlockId id, const Access& access) {
  const RequestId request_id = RequestOf(access.stamp_ns);
  Touched& request = requests_[request_id];
  const uint32_t depth = access.depth_tokens;
  BlockId deeper = kNoBlock, shallower = request.deepest;
  if (request.shallowest != kNoBlock && depth <= nodes_[request.shallowest].depth_tokens) {
    deeper = request.shallowest;
    shallower = kNoBlock;
  }
  for (int steps = 0; shallower != kNoBlock && nodes_[shallower].depth_tokens > depth && steps < kMaxSteps; ++steps) {
    deeper = shallower;
    shallower = nodes_[shallower].shallower;
  }
  nodes_[id] = {.request = request_id, .depth_tokens = depth, .deeper = deeper, .shallower = shallower};
  (deeper == kNoBlock ? request.deepest : nodes_[deeper].shallower) = id;
  (shallower == kNoBlock ? request.shallowest : nodes_[shallower].deeper) = id;
}

// A request without living blocks is forgotten.
void CutFollower::Unlink(BlockId id) {
  const Node& node = nodes_[id];
  Touched& request = requests_[node.request];
  (node.deeper == kNoBlock ? request.deepest : nodes_[node.deeper].shallower) = node.shallower;
  (node.shallower == kNoBlock ? request.shallowest : nodes_[node.shallower].deeper) = node.deeper;
  if (request.deepest != kNoBlock) return;
  by_stamp_.erase(request.stamp_ns);
  unused_requests_.push_back(node.request);
}

// What the request touched deeper is dead. Looks at no more blocks than die.
void CutFollower::Kill(uint64_t stamp_ns, uint32_t depth_tokens) {
  for (auto found = by_stamp_.find(stamp_ns); found != by_stamp_.end(); found = by_stamp_.find(stamp_ns)) {
    Touched& request = requests_[found->second];
    request.cut_depth = std::min(request.cut_depth, depth_tokens);
    const BlockId id = request.deepest;
    if (nodes_[id].depth_tokens <= depth_tokens) return;
    Unlink(id);
    nodes_[id].request = kDead;
    nodes_[id].deeper = ++deaths_;
    dead_.push_back({id, deaths_});
    ForgetStaleDeaths();
  }
}

// Blocks that die and are touched again, over and over, must not fill memory while nobody asks for a victim.
void CutFollower::ForgetStaleDeaths() {
  if (dead_.size() <= kDeathsPerBlock * nodes_.size()) return;
  dead_.clear();
  for (BlockId id = 0; id < nodes_.size(); ++id) {
    if (IsDead(id)) dead_.push_back({id, nodes_[id].deeper});
  }
}

void CutFollower::ReadBoard() {
  board_->ReadFrom(&read_, [this](const Cut& cut) { Kill(cut.stamp_ns, cut.depth_tokens); });
}

BlockId CutFollower::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  ReadBoard();
  BlockId victim = kNoBlock;
  std::vector<Death> refused;
  while (!dead_.empty() && victim == kNoBlock && max_candidates > 0) {
    const Death death = dead_.back();
    dead_.pop_back();
    if (!IsDead(death.id) || nodes_[death.id].deeper != death.number) continue;  // gone, or touched again
    --max_candidates;
    if (evictable(death.id)) victim = death.id;
    refused.push_back(death);
  }
  dead_.insert(dead_.end(), refused.begin(), refused.end());
  return victim != kNoBlock || max_candidates == 0 ? victim : within_->Victim(evictable, max_candidates);
}

bool CutFollower::Outranks(BlockId a, BlockId b) const {
  return IsDead(a) != IsDead(b) ? IsDead(b) : within_->Outranks(a, b);
}

uint64_t CutFollower::MemoryBytes() const {
  return within_->MemoryBytes() + nodes_.MemoryBytes() + dead_.capacity() * sizeof(Death) +
         requests_.capacity() * sizeof(Touched) + unused_requests_.capacity() * sizeof(RequestId) +
         by_stamp_.capacity() * (sizeof(std::pair<uint64_t, RequestId>) + 1);
}

}  // namespace incipit
