// GDSF (Cherkasova, 1998): lowest (clock + touches x cost / size) first, where the cost of a block grows with depth.
#pragma once

#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "eviction/cost_model.h"
#include "eviction/list_policy.h"

namespace incipit {

// Contract, owner and thread: see Policy. O(log n). The "clock" is the priority of the last block evicted: nothing ages
// but by it.
class Gdsf final : public ListPolicy {
 public:
  explicit Gdsf(const CostModel& cost) : cost_(cost) {}

  std::string_view name() const override { return "gdsf"; }
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override;
  bool Outranks(BlockId a, BlockId b) const override { return priorities_[a] > priorities_[b]; }
  uint64_t MemoryBytes() const override;

 protected:
  void Inserted(BlockId id, const Access& access) override;
  void Touched(BlockId id, const Access& access) override;
  void Removing(BlockId id) override;

 private:
  void Enter(BlockId id, const Access& access);

  CostModel cost_;
  absl::btree_set<std::pair<double, BlockId>> order_;
  std::vector<double> priorities_;  // by id
  double clock_ = 0;
};

}  // namespace incipit
