// One policy for each owner of blocks, so that an owner's own lowest valued block can be found, and the lowest of all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "eviction/policy.h"

namespace incipit {

// Number of an owner; small, dense. Owner 0 is there from the start.
using OwnerIndex = uint32_t;

// Contract, owner and thread as Policy. With owner 0 alone it costs what that one policy costs; each further owner
// keeps its blocks under numbers of its own, so memory grows with the blocks and not with owners times blocks: 8 bytes
// per block id once there is a second owner, 4 per block of such an owner. Victim of all asks every owner that holds
// blocks: some 50 ns each.
class PartitionedPolicy {
 public:
  using Maker = std::function<std::unique_ptr<Policy>(OwnerIndex owner)>;
  explicit PartitionedPolicy(Maker make_policy);

  void OnInsert(OwnerIndex owner, BlockId id, const Access& access);
  void OnAccess(BlockId id, const Access& access);
  void OnHint(BlockId id, const Hint& hint);
  void OnRemove(BlockId id);
  // Of all owners together: each gets the share of it that its blocks have of all blocks. Costs some ns per owner.
  void SetCapacity(size_t blocks, size_t ghosts);
  void Prefetch(BlockId id) const;
  // Of all owners' candidates the one with the oldest stamp.
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates);
  BlockId VictimOf(OwnerIndex owner, absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates);
  // Of blocks of different owners, the one touched later.
  bool Outranks(BlockId a, BlockId b) const;
  uint64_t StampOf(BlockId id) const;
  size_t size() const;
  uint64_t MemoryBytes() const;

 private:
  // Blocks of owner 0 have their own id as number.
  struct Place {
    OwnerIndex owner = 0;
    BlockId number = 0;
  };
  struct Part {
    std::unique_ptr<Policy> policy;
    std::vector<BlockId> ids;  // by number; empty for owner 0
    std::vector<BlockId> unused_numbers;
  };
  Place PlaceOf(BlockId id) const;
  void AddPart();

  Maker make_policy_;
  std::vector<Part> parts_;
  std::vector<Place> places_;  // by id, as far as owners other than 0 needed it
};

}  // namespace incipit
