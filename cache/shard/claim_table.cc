#include "cache/shard/claim_table.h"

#include <algorithm>
#include <utility>

#include "cache/seams/clock.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

void Count(absl::flat_hash_map<uint64_t, uint64_t>* counts, uint64_t session, int64_t change) {
  if (change == 0) return;
  const auto found = counts->try_emplace(session, 0).first;
  found->second += static_cast<uint64_t>(change);
  if (found->second == 0) counts->erase(found);
}

uint64_t CountOf(const absl::flat_hash_map<uint64_t, uint64_t>& counts, uint64_t session) {
  const auto found = counts.find(session);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

bool ClaimTable::IsBlock(const Slot& slot, const Probe& probe) {
  return slot.hash == probe.hash && slot.name_space == probe.name_space && slot.group == probe.group &&
         slot.part == probe.part && std::ranges::equal(slot.key, probe.key);
}

uint32_t ClaimTable::SlotOf(const Probe& probe) {
  if (const auto found = index_.find(probe); found != index_.end()) return *found;
  uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  Slot& made = slots_[slot];
  made.hash = probe.hash;
  made.name_space = probe.name_space;
  made.group = probe.group;
  made.part = probe.part;
  made.key.assign(probe.key.begin(), probe.key.end());
  index_.insert(slot);
  return slot;
}

void ClaimTable::FreeIfUnused(uint32_t slot) {
  if (slots_[slot].claim_id != 0 || !slots_[slot].watchers.empty()) return;
  index_.erase(slot);
  slots_[slot] = {};
  free_slots_.push_back(slot);
}

void ClaimTable::Notify(const Slot& slot, wire::BlockState state) const {
  for (const Watching& watching : slot.watchers) watching.watcher->OnState(watching.index, state);
}

bool ClaimTable::MayClaim(uint64_t session) const {
  return claimed_blocks_ < limits_.max_claimed_blocks &&
         CountOf(claimed_of_session_, session) < limits_.max_claimed_blocks_per_session;
}

void ClaimTable::CountClaimed(uint64_t session, int64_t change) {
  claimed_blocks_ += static_cast<uint64_t>(change);
  Count(&claimed_of_session_, session, change);
}

ClaimTable::Granted ClaimTable::Claim(uint64_t session, NamespaceId name_space, const wire::KeyBatch& keys,
                                      std::span<const Hash128> hashes, uint32_t claim_ms, int64_t now_ns,
                                      std::vector<wire::BlockState>* states) {
  LapseExpired(now_ns);
  Granted granted;
  const uint64_t claim_id = wire::kClaimIdBit | next_id_++;
  Claimed claim{.session = session, .since_ns = now_ns};
  bool met_another = false;
  for (size_t i = 0; i < keys.size(); ++i) {
    if ((*states)[i] != wire::BlockState::kFree) continue;
    const wire::KeyRef& key = keys[i];
    const Probe probe{hashes[i].low, name_space, key.group, key.part, key.key};
    const auto found = index_.find(probe);
    const uint64_t holder = found == index_.end() ? 0 : slots_[*found].claim_id;
    if (holder == claim_id) {  // The key came twice.
      (*states)[i] = wire::BlockState::kClaimed;
    } else if (holder != 0) {
      (*states)[i] = wire::BlockState::kComputing;
      if (!std::exchange(met_another, true)) {
        granted.computing_ms = static_cast<uint32_t>((now_ns - claims_.at(holder).since_ns) / kMillisecondNs);
      }
    } else if (!MayClaim(session)) {
      ++counters_.refused;
    } else {
      const uint32_t slot = SlotOf(probe);
      slots_[slot].claim_id = claim_id;
      claim.slots.push_back(slot);
      CountClaimed(session, 1);
      ++counters_.granted;
      (*states)[i] = wire::BlockState::kClaimed;
      Notify(slots_[slot], wire::BlockState::kComputing);
    }
  }
  if (claim.slots.empty()) return granted;
  granted.claim_id = claim_id;
  granted.claim_ms = std::min(claim_ms, limits_.max_claim_ms);
  claim.left = claim.slots.size();
  claim.expires_ns = now_ns + int64_t{granted.claim_ms} * kMillisecondNs;
  by_expiry_.insert({claim.expires_ns, claim_id});
  by_session_.insert({session, claim_id});
  claims_.emplace(claim_id, std::move(claim));
  return granted;
}

ClaimTable::Claims::iterator ClaimTable::Find(uint64_t session, uint64_t claim_id) {
  const auto found = claims_.find(claim_id);
  return found == claims_.end() || found->second.session != session ? claims_.end() : found;
}

uint32_t ClaimTable::Renew(uint64_t session, uint64_t claim_id, uint32_t claim_ms, int64_t now_ns) {
  LapseExpired(now_ns);
  const auto claim = Find(session, claim_id);
  if (claim == claims_.end()) return 0;
  const uint32_t granted_ms = std::min(claim_ms, limits_.max_claim_ms);
  by_expiry_.erase({claim->second.expires_ns, claim_id});
  claim->second.expires_ns = now_ns + int64_t{granted_ms} * kMillisecondNs;
  by_expiry_.insert({claim->second.expires_ns, claim_id});
  return granted_ms;
}

void ClaimTable::Forget(Claims::iterator claim) {
  by_expiry_.erase({claim->second.expires_ns, claim->first});
  by_session_.erase({claim->second.session, claim->first});
  claims_.erase(claim);
}

void ClaimTable::End(Claims::iterator claim, uint64_t* counter) {
  CountClaimed(claim->second.session, -static_cast<int64_t>(claim->second.left));
  *counter += claim->second.left;
  for (const uint32_t slot : claim->second.slots) {
    if (slots_[slot].claim_id != claim->first) continue;
    slots_[slot].claim_id = 0;
    Notify(slots_[slot], wire::BlockState::kFree);
    FreeIfUnused(slot);
  }
  Forget(claim);
}

void ClaimTable::Release(uint64_t session, uint64_t claim_id) {
  const auto claim = Find(session, claim_id);
  if (claim != claims_.end()) End(claim, &counters_.released);
}

void ClaimTable::EndSession(uint64_t session) {
  for (auto it = by_session_.lower_bound({session, 0}); it != by_session_.end() && it->first == session;
       it = by_session_.lower_bound({session, 0})) {
    End(claims_.find(it->second), &counters_.lapsed);
  }
}

void ClaimTable::LapseExpired(int64_t now_ns) {
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= now_ns) {
    End(claims_.find(by_expiry_.begin()->second), &counters_.lapsed);
  }
}

int64_t ClaimTable::NextExpiryNs() const { return by_expiry_.empty() ? kForeverNs : by_expiry_.begin()->first; }

bool ClaimTable::AdmitWatcher(uint64_t session, size_t keys) {
  const uint64_t of_session = CountOf(watched_of_session_, session);
  if (keys > limits_.max_watched_keys - std::min(watched_keys_, limits_.max_watched_keys) ||
      keys > limits_.max_watched_keys_per_session - std::min(of_session, limits_.max_watched_keys_per_session)) {
    ++counters_.waits_refused;
    return false;
  }
  ++counters_.waits;
  watched_keys_ += keys;
  Count(&watched_of_session_, session, static_cast<int64_t>(keys));
  return true;
}

wire::BlockState ClaimTable::Watch(BlockWatcher* watcher, uint32_t index, NamespaceId name_space,
                                   const wire::KeyRef& key, const Hash128& hash, std::vector<uint32_t>* slots) {
  const uint32_t slot = SlotOf({hash.low, name_space, key.group, key.part, key.key});
  slots_[slot].watchers.push_back({watcher, index});
  slots->push_back(slot);
  return slots_[slot].claim_id == 0 ? wire::BlockState::kFree : wire::BlockState::kComputing;
}

void ClaimTable::Unwatch(BlockWatcher* watcher, uint64_t session, size_t keys, std::span<const uint32_t> slots) {
  // A slot whose block has landed may be another block's by now, which this watcher does not watch.
  for (const uint32_t slot : slots) {
    if (std::erase_if(slots_[slot].watchers, [&](const Watching& w) { return w.watcher == watcher; }) > 0) {
      FreeIfUnused(slot);
    }
  }
  watched_keys_ -= keys;
  Count(&watched_of_session_, session, -static_cast<int64_t>(keys));
}

void ClaimTable::OnVisible(const Entry& entry, wire::Presence presence) {
  if (index_.empty()) return;
  const auto found = index_.find(Probe{entry.hash.low, entry.namespace_id, entry.group, entry.part, entry.key});
  if (found == index_.end()) return;
  const uint32_t slot = *found;
  const uint64_t claim_id = std::exchange(slots_[slot].claim_id, 0);
  if (claim_id != 0) {
    ++counters_.landed;
    const auto claim = claims_.find(claim_id);
    CountClaimed(claim->second.session, -1);
    if (--claim->second.left == 0) Forget(claim);
  }
  Notify(slots_[slot], presence == wire::Presence::kNvme ? wire::BlockState::kNvme : wire::BlockState::kRam);
  slots_[slot].watchers.clear();
  FreeIfUnused(slot);
}

}  // namespace incipit
