#include "eviction/partitioned_policy.h"

#include <algorithm>
#include <utility>

namespace incipit {

PartitionedPolicy::PartitionedPolicy(Maker make_policy) : make_policy_(std::move(make_policy)) {
  parts_.emplace_back().policy = make_policy_(0);
}

PartitionedPolicy::Place PartitionedPolicy::PlaceOf(BlockId id) const {
  if (id >= places_.size() || places_[id].owner == 0) return {0, id};
  return places_[id];
}

void PartitionedPolicy::OnInsert(OwnerIndex owner, BlockId id, const Access& access) {
  if (owner == 0) return parts_[0].policy->OnInsert(id, access);
  while (parts_.size() <= owner) AddPart();
  Part& part = parts_[owner];
  BlockId number = static_cast<BlockId>(part.ids.size());
  if (part.unused_numbers.empty()) {
    part.ids.push_back(id);
  } else {
    number = part.unused_numbers.back();
    part.unused_numbers.pop_back();
    part.ids[number] = id;
  }
  if (id >= places_.size()) places_.resize(size_t{id} + 1);
  places_[id] = {owner, number};
  part.policy->OnInsert(number, access);
}

void PartitionedPolicy::OnAccess(BlockId id, const Access& access) {
  const Place place = PlaceOf(id);
  parts_[place.owner].policy->OnAccess(place.number, access);
}

void PartitionedPolicy::AddPart() {
  const auto owner = static_cast<OwnerIndex>(parts_.size());
  parts_.emplace_back().policy = make_policy_(owner);
}

void PartitionedPolicy::OnHint(BlockId id, const Hint& hint) {
  const Place place = PlaceOf(id);
  parts_[place.owner].policy->OnHint(place.number, hint);
}

void PartitionedPolicy::SetCapacity(size_t blocks, size_t ghosts) {
  const double all = static_cast<double>(std::max<size_t>(1, size()));
  for (Part& part : parts_) {
    const double share = parts_.size() == 1 ? 1 : static_cast<double>(part.policy->size()) / all;
    part.policy->SetCapacity(std::max<size_t>(1, static_cast<size_t>(share * static_cast<double>(blocks))),
                             std::max<size_t>(1, static_cast<size_t>(share * static_cast<double>(ghosts))));
  }
}

void PartitionedPolicy::OnRemove(BlockId id) {
  const Place place = PlaceOf(id);
  parts_[place.owner].policy->OnRemove(place.number);
  if (place.owner == 0) return;
  parts_[place.owner].unused_numbers.push_back(place.number);
  places_[id] = {};
}

void PartitionedPolicy::Prefetch(BlockId id) const {
  const Place place = PlaceOf(id);
  parts_[place.owner].policy->Prefetch(place.number);
}

BlockId PartitionedPolicy::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  BlockId oldest = kNoBlock;
  for (OwnerIndex owner = 0; owner < parts_.size(); ++owner) {
    if (parts_[owner].policy->size() == 0) continue;
    const BlockId candidate = VictimOf(owner, evictable, max_candidates);
    if (candidate == kNoBlock) continue;
    if (oldest == kNoBlock || StampOf(candidate) < StampOf(oldest)) oldest = candidate;
  }
  return oldest;
}

BlockId PartitionedPolicy::VictimOf(OwnerIndex owner, absl::FunctionRef<bool(BlockId)> evictable,
                                    size_t max_candidates) {
  if (owner >= parts_.size()) return kNoBlock;
  Part& part = parts_[owner];
  if (owner == 0) return part.policy->Victim(evictable, max_candidates);
  const BlockId number =
      part.policy->Victim([&](BlockId candidate) { return evictable(part.ids[candidate]); }, max_candidates);
  return number == kNoBlock ? kNoBlock : part.ids[number];
}

bool PartitionedPolicy::Outranks(BlockId a, BlockId b) const {
  const Place left = PlaceOf(a), right = PlaceOf(b);
  if (left.owner != right.owner) return StampOf(a) > StampOf(b);
  return parts_[left.owner].policy->Outranks(left.number, right.number);
}

uint64_t PartitionedPolicy::StampOf(BlockId id) const {
  const Place place = PlaceOf(id);
  return parts_[place.owner].policy->StampOf(place.number);
}

size_t PartitionedPolicy::size() const {
  size_t blocks = 0;
  for (const Part& part : parts_) blocks += part.policy->size();
  return blocks;
}

uint64_t PartitionedPolicy::MemoryBytes() const {
  uint64_t bytes = places_.capacity() * sizeof(Place) + parts_.capacity() * sizeof(Part);
  for (const Part& part : parts_) {
    bytes += part.policy->MemoryBytes() + (part.ids.capacity() + part.unused_numbers.capacity()) * sizeof(BlockId);
  }
  return bytes;
}

}  // namespace incipit
