#include "eviction/auto_policy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"

namespace incipit {
namespace {

constexpr uint64_t kHalfLifeCapacities = 4;
constexpr uint64_t kShortestHalfLife = uint64_t{1} << 16;  // touches
constexpr double kHalfLifeRequests = 2048;
constexpr uint64_t kShortestReign = uint64_t{1} << 13;  // touches
constexpr uint64_t kTellTouches = 32;                   // between two looks at the board
constexpr double kMargin = 1.02;
constexpr double kWorthLimit = 1e100;  // scores are scaled down beyond

}  // namespace

AutoPolicy::AutoPolicy(AutoOptions options) : options_(std::move(options)) {
  INCIPIT_CHECK(!options_.contestants.empty() && options_.contestants.size() <= DuelBoard::kMostContestants,
                "a duel of 1 to 8 policies");
  for (std::unique_ptr<Policy>& contestant : options_.contestants) shadows_.push_back({std::move(contestant)});
  SetHalfLife();
  if (options_.board != nullptr) shard_ = options_.board->Join();
}

void AutoPolicy::SetHalfLife() {
  half_life_touches_ = static_cast<double>(
      std::max<uint64_t>(kShortestHalfLife / options_.shards, kHalfLifeCapacities * options_.capacity_blocks));
}

void AutoPolicy::SetCapacity(size_t blocks, size_t ghosts) {
  options_.capacity_blocks = blocks;
  SetHalfLife();
  for (Shadow& shadow : shadows_) {
    shadow.policy->SetCapacity(blocks, std::max<size_t>(1, ghosts / shadows_.size()));
  }
}

void AutoPolicy::Prefetch(BlockId id) const {
  if (id >= entry_of_.size() || entry_of_[id] == kNoBlock) return;
  __builtin_prefetch(&entries_[entry_of_[id]], 1);
  for (const Shadow& shadow : shadows_) shadow.policy->Prefetch(entry_of_[id]);
}

AutoPolicy::EntryId AutoPolicy::EntryFor(uint64_t key) {
  if (key == 0) key = ~++unnamed_;  // Its history cannot be followed.
  const auto [at, is_new] = by_key_.try_emplace(key, static_cast<EntryId>(entries_.size()));
  if (!is_new) return at->second;
  if (unused_entries_.empty()) {
    entries_.emplace_back();
  } else {
    at->second = unused_entries_.back();
    unused_entries_.pop_back();
  }
  entries_[at->second] = {.key = key};
  return at->second;
}

void AutoPolicy::ForgetIfUnused(EntryId id) {
  if (entries_[id].in_shadows != 0 || entries_[id].held_as != kNoBlock) return;
  by_key_.erase(entries_[id].key);
  unused_entries_.push_back(id);
}

void AutoPolicy::OnInsert(BlockId id, const Access& access) {
  INCIPIT_CHECK(id != kNoBlock, "insert of no block");
  if (id >= entry_of_.size()) entry_of_.resize(size_t{id} + 1, kNoBlock);
  INCIPIT_CHECK(entry_of_[id] == kNoBlock, absl::StrCat("insert of block ", id, ", which is already held").c_str());
  if (access.stamp_ns != request_stamp_ns_) BeginRequest();
  request_stamp_ns_ = access.stamp_ns;
  EntryId entry = EntryFor(access.key);
  // Two held blocks with one key, a collision of 64 bits: the second has no history.
  if (entries_[entry].held_as != kNoBlock) entry = EntryFor(0);
  entry_of_[id] = entry;
  entries_[entry].held_as = id;
  ++size_;
  if (InShadow(entry, leader_)) {
    // The leader had it all along.
  } else {
    strays_.OnInsert(id, access);  // until the leader's shadow takes it, in a moment
  }
  Feed(entry, access);
}

void AutoPolicy::OnAccess(BlockId id, const Access& access) {
  INCIPIT_CHECK(id < entry_of_.size() && entry_of_[id] != kNoBlock,
                absl::StrCat("access to block ", id, ", which is not held").c_str());
  const EntryId entry = entry_of_[id];
  if (access.stamp_ns <= entries_[entry].stamp_ns) return;
  if (access.stamp_ns != request_stamp_ns_) BeginRequest();
  request_stamp_ns_ = access.stamp_ns;
  Feed(entry, access);
}

// One touch, told to every shadow.
void AutoPolicy::Feed(EntryId id, const Access& access) {
  ++touches_;
  ++touches_since_switch_;
  ++touches_since_told_;
  Entry& entry = entries_[id];
  entry.stamp_ns = access.stamp_ns;
  entry.depth_tokens = access.depth_tokens;
  const CostModel& cost = access.cost != nullptr ? *access.cost : options_.cost;
  const double worth = hit_worth_ * (options_.by_flops ? cost.RelativeAt(access.depth_tokens) : 1);
  for (size_t i = 0; i < shadows_.size(); ++i) {
    if (InShadow(id, i)) {
      shadows_[i].score += worth;
      shadows_[i].policy->OnAccess(id, access);
      continue;
    }
    shadows_[i].policy->OnInsert(id, access);
    entry.in_shadows |= static_cast<uint8_t>(1u << i);
    if (i == leader_ && entry.held_as != kNoBlock) strays_.OnRemove(entry.held_as);
  }
}

void AutoPolicy::OnHint(BlockId id, const Hint& hint) {
  INCIPIT_CHECK(id < entry_of_.size() && entry_of_[id] != kNoBlock,
                absl::StrCat("hint for block ", id, ", which is not held").c_str());
  const EntryId entry = entry_of_[id];
  for (size_t i = 0; i < shadows_.size(); ++i) {
    if (InShadow(entry, i)) shadows_[i].policy->OnHint(entry, hint);
  }
}

void AutoPolicy::OnRemove(BlockId id) {
  INCIPIT_CHECK(id < entry_of_.size() && entry_of_[id] != kNoBlock,
                absl::StrCat("removal of block ", id, ", which is not held").c_str());
  const EntryId entry = entry_of_[id];
  entry_of_[id] = kNoBlock;
  entries_[entry].held_as = kNoBlock;
  --size_;
  if (!InShadow(entry, leader_)) strays_.OnRemove(id);
  ForgetIfUnused(entry);
}

// A request goes into the shadows whole before they are cut back, as it goes into the cache.
void AutoPolicy::BeginRequest() {
  TrimShadows();
  hit_worth_ *= std::exp2(std::min(1 / kHalfLifeRequests, static_cast<double>(touches_) / half_life_touches_));
  touches_ = 0;
  ConsiderSwitch();
}

void AutoPolicy::TrimShadows() {
  const auto any = [](BlockId) { return true; };
  for (size_t i = 0; i < shadows_.size(); ++i) {
    Policy& policy = *shadows_[i].policy;
    while (policy.size() > options_.capacity_blocks) {
      const EntryId victim = policy.Victim(any, SIZE_MAX);
      INCIPIT_CHECK(victim != kNoBlock, "a policy that holds blocks must name one");
      policy.OnRemove(victim);
      Entry& entry = entries_[victim];
      entry.in_shadows &= static_cast<uint8_t>(~(1u << i));
      if (i == leader_ && entry.held_as != kNoBlock) {
        strays_.OnInsert(entry.held_as, {.stamp_ns = entry.stamp_ns, .depth_tokens = entry.depth_tokens});
      }
      ForgetIfUnused(victim);
    }
  }
}

void AutoPolicy::ConsiderSwitch() {
  if (hit_worth_ > kWorthLimit) {
    for (Shadow& shadow : shadows_) shadow.score /= kWorthLimit;
    hit_worth_ /= kWorthLimit;
  }
  const size_t leader = options_.board == nullptr ? Verdict() : VerdictOfAll();
  if (leader != leader_) SwitchTo(leader);
}

size_t AutoPolicy::Verdict() {
  if (touches_since_switch_ < std::max<uint64_t>(kShortestReign, options_.capacity_blocks / 2)) return leader_;
  size_t best = leader_;
  for (size_t i = 0; i < shadows_.size(); ++i) {
    if (shadows_[i].score > shadows_[best].score) best = i;
  }
  return shadows_[best].score < kMargin * shadows_[leader_].score ? leader_ : best;
}

size_t AutoPolicy::VerdictOfAll() {
  if (touches_since_told_ < kTellTouches) return leader_;
  std::array<double, DuelBoard::kMostContestants> scores{};
  for (size_t i = 0; i < shadows_.size(); ++i) scores[i] = shadows_[i].score / hit_worth_;
  const uint64_t reign = std::max<uint64_t>(kShortestReign, options_.shards * uint64_t{options_.capacity_blocks} / 2);
  return options_.board->Tell(shard_, {scores.data(), shadows_.size()}, std::exchange(touches_since_told_, 0),
                              {.margin = kMargin, .shortest_reign = reign});
}

void AutoPolicy::SwitchTo(size_t best) {
  touches_since_switch_ = 0;
  ++switches_;
  for (BlockId id = 0; id < entry_of_.size(); ++id) {
    const EntryId entry = entry_of_[id];
    if (entry == kNoBlock) continue;
    const bool was_stray = !InShadow(entry, leader_);
    const bool is_stray = !InShadow(entry, best);
    if (was_stray && !is_stray) strays_.OnRemove(id);
    if (!was_stray && is_stray) {
      strays_.OnInsert(id, {.stamp_ns = entries_[entry].stamp_ns, .depth_tokens = entries_[entry].depth_tokens});
    }
  }
  leader_ = best;
}

BlockId AutoPolicy::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  TrimShadows();
  const BlockId stray = strays_.Victim(evictable, max_candidates);
  if (stray != kNoBlock) return stray;
  const auto held = [&](EntryId entry) {
    const BlockId id = entries_[entry].held_as;
    return id != kNoBlock && evictable(id);
  };
  const EntryId entry = shadows_[leader_].policy->Victim(held, max_candidates);
  return entry == kNoBlock ? kNoBlock : entries_[entry].held_as;
}

bool AutoPolicy::Outranks(BlockId a, BlockId b) const {
  const bool a_is_stray = !InShadow(entry_of_[a], leader_);
  const bool b_is_stray = !InShadow(entry_of_[b], leader_);
  if (a_is_stray != b_is_stray) return b_is_stray;
  if (a_is_stray) return strays_.Outranks(a, b);
  return shadows_[leader_].policy->Outranks(entry_of_[a], entry_of_[b]);
}

uint64_t AutoPolicy::StampOf(BlockId id) const {
  INCIPIT_CHECK(id < entry_of_.size() && entry_of_[id] != kNoBlock,
                absl::StrCat("stamp of block ", id, ", which is not held").c_str());
  return entries_[entry_of_[id]].stamp_ns;
}

uint64_t AutoPolicy::MemoryBytes() const {
  uint64_t bytes = entries_.capacity() * sizeof(Entry) +
                   (unused_entries_.capacity() + entry_of_.capacity()) * sizeof(EntryId) +
                   by_key_.capacity() * (sizeof(std::pair<uint64_t, EntryId>) + 1) + strays_.MemoryBytes();
  for (const Shadow& shadow : shadows_) bytes += shadow.policy->MemoryBytes();
  return bytes;
}

}  // namespace incipit
