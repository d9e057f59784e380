// First in, first out: what was inserted longest ago goes first, touched or not.
#pragma once

#include "eviction/list_policy.h"

namespace incipit {

// Contract, owner and thread: see Policy. O(1).
class Fifo final : public ListPolicy {
 public:
  std::string_view name() const override { return "fifo"; }
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override {
    return FirstOf(list_, evictable, &max_candidates);
  }

 protected:
  void Inserted(BlockId id, const Access&) override { links().PushBack(&list_, id); }
  void Touched(BlockId, const Access&) override {}
  void Removing(BlockId id) override { links().Erase(&list_, id); }

 private:
  BlockList list_;
};

}  // namespace incipit
