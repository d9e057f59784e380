#include "eviction/auto_policy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "eviction/ghost_table.h"

namespace incipit {
namespace {

constexpr uint64_t kHalfLifeCapacities = 4;
constexpr uint64_t kShortestHalfLife = uint64_t{1} << 16;  // touches
constexpr double kHalfLifeRequests = 2048;
constexpr uint64_t kShortestReign = uint64_t{1} << 13;  // touches
constexpr uint64_t kTellTouches = 32;                   // between two looks at the board
constexpr double kMargin = 1.02, kMarginBack = 1.005;
constexpr double kWorthLimit = 1e100;  // scores are scaled down beyond

}  // namespace

size_t AutoPolicy::KeyHash::operator()(uint64_t key) const { return MixKey(key); }

AutoPolicy::AutoPolicy(AutoOptions options) : options_(std::move(options)), by_key_(0, KeyHash{this}, KeyEqual{this}) {
  INCIPIT_CHECK(!options_.contestants.empty() && options_.contestants.size() <= DuelBoard::kMostContestants,
                "a duel of 1 to 8 policies");
  for (std::unique_ptr<Policy>& contestant : options_.contestants) {
    contestant->UseKeysOf(this);
    auto* by_runs = dynamic_cast<RunPolicy*>(contestant.get());
    all_take_runs_ = all_take_runs_ && by_runs != nullptr;
    shadows_.push_back({std::move(contestant), by_runs});
  }
  SetHalfLife();
  if (options_.board != nullptr) shard_ = options_.board->Join();
}

void AutoPolicy::SetHalfLife() {
  half_life_touches_ = static_cast<double>(
      std::max<uint64_t>(kShortestHalfLife / options_.shards, kHalfLifeCapacities * options_.capacity_blocks));
}

void AutoPolicy::SetCapacity(size_t blocks, size_t ghosts) {
  Flush();
  options_.capacity_blocks = blocks;
  SetHalfLife();
  for (Shadow& shadow : shadows_) {
    shadow.policy->SetCapacity(blocks, std::max<size_t>(1, ghosts / shadows_.size()));
  }
}

void AutoPolicy::Prefetch(BlockId id) const {
  if (!Holds(id)) return;
  __builtin_prefetch(&entries_[entry_of_[id].id], 1);
  for (const Shadow& shadow : shadows_) shadow.policy->Prefetch(entry_of_[id].id);
}

// Blocks without a key have a number in its place, which is nobody's business.
uint64_t AutoPolicy::KeyOf(EntryId id) const { return entries_[id].key <= unnamed_ ? 0 : entries_[id].key; }

AutoPolicy::EntryId AutoPolicy::EntryFor(uint64_t key) {
  if (key == 0) key = ++unnamed_;  // Its history cannot be followed.
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) return *known;
  EntryId id = next_entry_;
  if (unused_entries_.empty()) {
    entries_.Reach(id);
    in_shadows_.Reach(id);
    ++next_entry_;
  } else {
    id = unused_entries_.back();
    unused_entries_.pop_back();
  }
  entries_[id] = {.key = key};
  by_key_.insert(id);
  return id;
}

void AutoPolicy::ForgetIfUnused(EntryId id) {
  if (in_shadows_[id].bits != 0 || entries_[id].held_as != kNoBlock) return;
  by_key_.erase(id);
  unused_entries_.push_back(id);
}

void AutoPolicy::OnInsert(BlockId id, const Access& access) {
  INCIPIT_CHECK(id != kNoBlock, "insert of no block");
  entry_of_.Reach(id);
  INCIPIT_CHECK(!Holds(id), absl::StrCat("insert of block ", id, ", which is already held").c_str());
  Flush();
  if (access.stamp_ns != request_stamp_ns_) BeginRequest();
  request_stamp_ns_ = access.stamp_ns;
  EntryId entry = EntryFor(access.key);
  // Two held blocks with one key, a collision of 64 bits: the second has no history.
  if (entries_[entry].held_as != kNoBlock) entry = EntryFor(0);
  entries_[entry].depth_tokens = access.depth_tokens;
  Feed(entry, access);
  // The leader's shadow has taken it, if it had not got it: it is no stray.
  entry_of_[id] = {entry};
  entries_[entry].held_as = id;
  ++size_;
}

void AutoPolicy::OnAccess(BlockId id, const Access& access) {
  INCIPIT_CHECK(Holds(id), absl::StrCat("access to block ", id, ", which is not held").c_str());
  const EntryId entry = entry_of_[id].id;
  if (!MayWait(entry, access) || !GoesOn(access)) Flush();
  if (access.stamp_ns <= StampOfEntry(entry)) return;
  if (access.stamp_ns != request_stamp_ns_) BeginRequest();  // which may cost a shadow the block
  request_stamp_ns_ = access.stamp_ns;
  if (!MayWait(entry, access)) return Feed(entry, access);
  CountTouch();
  const double worth = WorthOf(access);
  for (Shadow& shadow : shadows_) shadow.score += worth;
  if (pending_.ids.empty()) pending_.access = access;
  pending_.ids.push_back(entry);
  pending_.depths.push_back(access.depth_tokens);
  if (pending_.ids.size() == kMostPending) Flush();
}

// Whether the shadows may hear of the touch later. A block's depth is what it was inserted with, or a block could be
// among those that wait twice.
bool AutoPolicy::MayWait(EntryId id, const Access& access) const {
  return all_take_runs_ && std::popcount(in_shadows_[id].bits) == static_cast<int>(shadows_.size()) &&
         access.depth_tokens == entries_[id].depth_tokens;
}

// Whether the touch can wait behind those that do.
bool AutoPolicy::GoesOn(const Access& access) const {
  if (pending_.ids.empty()) return true;
  const Access& before = pending_.access;
  return access.stamp_ns == before.stamp_ns && access.depth_tokens > pending_.depths.back() &&
         access.turn == before.turn && access.cost == before.cost && access.output_tokens == before.output_tokens &&
         access.end_reason == before.end_reason;
}

// Changes nothing that anybody could see: who asks, asks after it.
void AutoPolicy::Flush() const {
  if (pending_.ids.empty()) return;
  for (const Shadow& shadow : shadows_) shadow.by_runs->OnAccessRun(pending_.ids, pending_.depths, pending_.access);
  pending_.ids.clear();
  pending_.depths.clear();
}

void AutoPolicy::CountTouch() {
  ++touches_;
  ++touches_since_switch_;
  ++touches_since_told_;
}

double AutoPolicy::WorthOf(const Access& access) const {
  if (!options_.by_flops) return hit_worth_;
  const CostModel& cost = access.cost != nullptr ? *access.cost : options_.cost;
  return hit_worth_ * cost.RelativeAt(access.depth_tokens);
}

// One touch, told to every shadow. REQUIRES: none waits.
void AutoPolicy::Feed(EntryId id, const Access& access) {
  CountTouch();
  const double worth = WorthOf(access);
  for (size_t i = 0; i < shadows_.size(); ++i) {
    if (InShadow(id, i)) {
      shadows_[i].score += worth;
      shadows_[i].policy->OnAccess(id, access);
      continue;
    }
    shadows_[i].policy->OnInsert(id, access);
    in_shadows_[id].bits |= static_cast<uint8_t>(1u << i);
    if (i == leader_ && entries_[id].held_as != kNoBlock) strays_.OnRemove(entries_[id].held_as);
  }
}

void AutoPolicy::OnHint(BlockId id, const Hint& hint) {
  INCIPIT_CHECK(Holds(id), absl::StrCat("hint for block ", id, ", which is not held").c_str());
  Flush();
  const EntryId entry = entry_of_[id].id;
  for (size_t i = 0; i < shadows_.size(); ++i) {
    if (InShadow(entry, i)) shadows_[i].policy->OnHint(entry, hint);
  }
}

void AutoPolicy::OnRemove(BlockId id) {
  INCIPIT_CHECK(Holds(id), absl::StrCat("removal of block ", id, ", which is not held").c_str());
  Flush();
  const EntryId entry = entry_of_[id].id;
  entry_of_[id] = {};
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
      const uint64_t stamp_ns = policy.StampOf(victim);
      policy.OnRemove(victim);
      const Entry& entry = entries_[victim];
      in_shadows_[victim].bits &= static_cast<uint8_t>(~(1u << i));
      if (i == leader_ && entry.held_as != kNoBlock) {
        strays_.OnInsert(entry.held_as, {.stamp_ns = stamp_ns, .depth_tokens = entry.depth_tokens});
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
  const uint64_t reign = std::max<uint64_t>(kShortestReign / options_.shards, options_.capacity_blocks / 2);
  if (touches_since_switch_ < reign) return leader_;
  std::array<double, DuelBoard::kMostContestants> scores{};
  for (size_t i = 0; i < shadows_.size(); ++i) scores[i] = shadows_[i].score;
  return DuelWinner({scores.data(), shadows_.size()}, leader_, kMargin, kMarginBack);
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
    const EntryId entry = entry_of_[id].id;
    if (entry == kNoBlock) continue;
    const bool was_stray = !InShadow(entry, leader_);
    const bool is_stray = !InShadow(entry, best);
    if (was_stray && !is_stray) strays_.OnRemove(id);
    if (!was_stray && is_stray) {
      strays_.OnInsert(id, {.stamp_ns = StampOfEntry(entry), .depth_tokens = entries_[entry].depth_tokens});
    }
  }
  leader_ = best;
}

BlockId AutoPolicy::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  Flush();
  TrimShadows();
  const BlockId stray = strays_.Victim(evictable, max_candidates);
  if (stray != kNoBlock) return stray;
  // Candidates are blocks that are held: what a shadow holds beside them is nobody's loss, and there may be much of it
  // while blocks arrive that are counted in the capacity already.
  bool gave_up = false;
  const auto held = [&](EntryId entry) {
    const BlockId id = entries_[entry].held_as;
    if (id == kNoBlock) return false;
    gave_up = max_candidates == 0;
    if (gave_up) return true;
    --max_candidates;
    return evictable(id);
  };
  const EntryId entry = shadows_[leader_].policy->Victim(held, SIZE_MAX);
  return entry == kNoBlock || gave_up ? kNoBlock : entries_[entry].held_as;
}

bool AutoPolicy::Outranks(BlockId a, BlockId b) const {
  Flush();
  const bool a_is_stray = !InShadow(entry_of_[a].id, leader_);
  const bool b_is_stray = !InShadow(entry_of_[b].id, leader_);
  if (a_is_stray != b_is_stray) return b_is_stray;
  if (a_is_stray) return strays_.Outranks(a, b);
  return shadows_[leader_].policy->Outranks(entry_of_[a].id, entry_of_[b].id);
}

uint64_t AutoPolicy::StampOf(BlockId id) const {
  INCIPIT_CHECK(Holds(id), absl::StrCat("stamp of block ", id, ", which is not held").c_str());
  Flush();
  return StampOfEntry(entry_of_[id].id);
}

// All shadows that hold a block saw the same touches of it; what none holds is a stray.
uint64_t AutoPolicy::StampOfEntry(EntryId id) const {
  const uint8_t in = in_shadows_[id].bits;
  return in != 0 ? shadows_[std::countr_zero(in)].policy->StampOf(id) : strays_.StampOf(entries_[id].held_as);
}

uint64_t AutoPolicy::MemoryBytes() const {
  uint64_t bytes = entries_.MemoryBytes() + in_shadows_.MemoryBytes() + entry_of_.MemoryBytes() +
                   (unused_entries_.capacity() + 2 * kMostPending) * sizeof(EntryId) +
                   by_key_.capacity() * (sizeof(EntryId) + 1) + strays_.MemoryBytes();
  for (const Shadow& shadow : shadows_) bytes += shadow.policy->MemoryBytes();
  return bytes;
}

}  // namespace incipit
