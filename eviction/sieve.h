// SIEVE (Zhang et al., NSDI 2024): a queue in order of insertion, and a hand that passes over what was touched.
#pragma once

#include "eviction/list_policy.h"

namespace incipit {

// Contract, owner and thread: see Policy. Victim is O(1) amortized: each touch lets the hand pass once.
class Sieve final : public ListPolicy {
 public:
  std::string_view name() const override { return "sieve"; }
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override;

 protected:
  void Inserted(BlockId id, const Access& access) override;
  void Touched(BlockId id, const Access& access) override;
  void Removing(BlockId id) override;

 private:
  BlockList list_;
  BlockId hand_ = kNoBlock;  // where to look next; kNoBlock: at the front
};

}  // namespace incipit
