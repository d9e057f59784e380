// Drives a policy and a plainly written reference of it with the same random touches, and compares their victims.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "eviction/policy.h"

namespace incipit {

// Written for being obviously right: any cost.
class ReferencePolicy {
 public:
  virtual ~ReferencePolicy() = default;
  virtual void Insert(uint64_t key, const Access& access) = 0;
  virtual void Touch(uint64_t key, const Access& access) = 0;
  virtual uint64_t Victim() = 0;  // its key
  virtual void Remove(uint64_t key) = 0;
};

struct DriverOptions {
  size_t capacity = 20;
  uint64_t keys = 60;
  int touches = 4000;
  int extra_removals = 0;  // per thousand touches: a held block goes that is no victim
};

// Ids are given out anew after removal, as a shard does.
inline void CompareVictims(Policy* policy, ReferencePolicy* reference, uint64_t seed, const DriverOptions& options) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  std::map<uint64_t, BlockId> held;
  std::vector<uint64_t> key_of;
  std::vector<BlockId> unused;
  const auto remove = [&](uint64_t key) {
    policy->OnRemove(held[key]);
    reference->Remove(key);
    unused.push_back(held[key]);
    held.erase(key);
  };
  for (int i = 1; i <= options.touches; ++i) {
    // Some keys are touched far more often than others; which ones changes half way.
    const uint64_t draw = std::min(random() % options.keys, random() % options.keys);
    const uint64_t key = 1 + (draw + (i > options.touches / 2 ? 17 : 0)) % options.keys;
    const Access access{.stamp_ns = static_cast<uint64_t>(i) * 1'000'000'000,
                        .depth_tokens = static_cast<uint32_t>(512 * (key % 7)),
                        .bytes = 1,
                        .key = key};
    if (held.contains(key)) {
      policy->OnAccess(held[key], access);
      reference->Touch(key, access);
    } else {
      BlockId id = static_cast<BlockId>(key_of.size());
      if (unused.empty()) {
        key_of.push_back(key);
      } else {
        id = unused.back();
        unused.pop_back();
        key_of[id] = key;
      }
      held[key] = id;
      policy->OnInsert(id, access);
      reference->Insert(key, access);
    }
    ASSERT_EQ(policy->size(), held.size());
    ASSERT_EQ(policy->StampOf(held[key]), access.stamp_ns);
    while (held.size() > options.capacity) {
      const BlockId victim = policy->Victim([](BlockId) { return true; }, SIZE_MAX);
      ASSERT_NE(victim, kNoBlock) << "touch " << i;
      ASSERT_EQ(key_of[victim], reference->Victim()) << "touch " << i;
      remove(key_of[victim]);
    }
    if (static_cast<int>(random() % 1000) < options.extra_removals) {
      remove(std::next(held.begin(), static_cast<std::ptrdiff_t>(random() % held.size()))->first);
    }
  }
}

}  // namespace incipit
