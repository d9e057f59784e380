#include "eviction/cut_follower.h"

#include <algorithm>
#include <utility>

namespace incipit {
namespace {

constexpr uint64_t kGone = UINT64_MAX;  // no request's stamp
// Clients choose stamps and the order of depths: a block that has not found its place by then takes the one it has got
// to.
constexpr int kMaxSteps = 64;
constexpr size_t kDeathsPerBlock = 2;

}  // namespace

CutFollower::CutFollower(std::unique_ptr<Policy> within, std::shared_ptr<CutBoard> board)
    : within_(std::move(within)), board_(std::move(board)) {}

void CutFollower::OnInsert(BlockId id, const Access& access) {
  within_->OnInsert(id, access);
  if (id >= nodes_.size()) nodes_.resize(size_t{id} + 1);
  Link(id, access);
}

void CutFollower::OnAccess(BlockId id, const Access& access) {
  within_->OnAccess(id, access);
  if (access.stamp_ns <= nodes_[id].stamp_ns) return;
  if (!nodes_[id].dead) Unlink(id);
  Link(id, access);
}

void CutFollower::Prefetch(BlockId id) const {
  within_->Prefetch(id);
  if (id < nodes_.size()) __builtin_prefetch(&nodes_[id], 1);
}

void CutFollower::OnRemove(BlockId id) {
  const Node node = nodes_[id];
  if (!node.dead) {
    Touched& request = requests_[node.stamp_ns];
    const bool is_news = node.depth_tokens < request.cut_depth;
    if (is_news) board_->Post({node.stamp_ns, node.depth_tokens});
    Unlink(id);
    if (is_news) Kill(node.stamp_ns, node.depth_tokens);
  }
  nodes_[id] = {.stamp_ns = kGone};
  within_->OnRemove(id);
}

void CutFollower::Link(BlockId id, const Access& access) {
  Touched& request = requests_[access.stamp_ns];
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
  nodes_[id] = {.stamp_ns = access.stamp_ns, .depth_tokens = depth, .deeper = deeper, .shallower = shallower};
  (deeper == kNoBlock ? request.deepest : nodes_[deeper].shallower) = id;
  (shallower == kNoBlock ? request.shallowest : nodes_[shallower].deeper) = id;
}

// A request without living blocks is forgotten.
void CutFollower::Unlink(BlockId id) {
  const Node& node = nodes_[id];
  const auto found = requests_.find(node.stamp_ns);
  Touched& request = found->second;
  (node.deeper == kNoBlock ? request.deepest : nodes_[node.deeper].shallower) = node.shallower;
  (node.shallower == kNoBlock ? request.shallowest : nodes_[node.shallower].deeper) = node.deeper;
  if (request.deepest == kNoBlock) requests_.erase(found);
}

// What the request touched deeper is dead. Looks at no more blocks than die.
void CutFollower::Kill(uint64_t stamp_ns, uint32_t depth_tokens) {
  for (auto found = requests_.find(stamp_ns); found != requests_.end(); found = requests_.find(stamp_ns)) {
    found->second.cut_depth = std::min(found->second.cut_depth, depth_tokens);
    const BlockId id = found->second.deepest;
    if (nodes_[id].depth_tokens <= depth_tokens) return;
    Unlink(id);
    nodes_[id].dead = true;
    dead_.push_back({id, stamp_ns});
    ForgetStaleDeaths();
  }
}

// Blocks that die and are touched again, over and over, must not fill memory while nobody asks for a victim.
void CutFollower::ForgetStaleDeaths() {
  if (dead_.size() <= kDeathsPerBlock * nodes_.size()) return;
  dead_.clear();
  for (BlockId id = 0; id < nodes_.size(); ++id) {
    if (nodes_[id].dead) dead_.push_back({id, nodes_[id].stamp_ns});
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
    // Gone, or touched again.
    if (nodes_[death.id].stamp_ns != death.stamp_ns || !nodes_[death.id].dead) continue;
    --max_candidates;
    if (evictable(death.id)) victim = death.id;
    refused.push_back(death);
  }
  dead_.insert(dead_.end(), refused.begin(), refused.end());
  return victim != kNoBlock || max_candidates == 0 ? victim : within_->Victim(evictable, max_candidates);
}

bool CutFollower::Outranks(BlockId a, BlockId b) const {
  return nodes_[a].dead != nodes_[b].dead ? nodes_[b].dead : within_->Outranks(a, b);
}

uint64_t CutFollower::MemoryBytes() const {
  return within_->MemoryBytes() + nodes_.capacity() * sizeof(Node) + dead_.capacity() * sizeof(Death) +
         requests_.capacity() * (sizeof(std::pair<uint64_t, Touched>) + 1);
}

}  // namespace incipit
