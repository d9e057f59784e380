#include "eviction/sieve.h"

#include "tests/eviction/policy_driver.h"

namespace incipit {
namespace {

// A vector from oldest to newest, and the hand as an index.
class PlainSieve : public ReferencePolicy {
 public:
  void Insert(uint64_t key, const Access&) override { queue_.push_back({key, false}); }
  void Touch(uint64_t key, const Access&) override { queue_[IndexOf(key)].second = true; }
  uint64_t Victim() override {
    while (true) {
      if (hand_ >= queue_.size()) hand_ = 0;
      if (!queue_[hand_].second) return queue_[hand_].first;
      queue_[hand_++].second = false;
    }
  }
  void Remove(uint64_t key) override {
    const size_t index = IndexOf(key);
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(index));
    if (index < hand_) --hand_;
    // At the end the hand waits at the front, as if it had gone round, before anything is added.
    if (hand_ >= queue_.size()) hand_ = 0;
  }

 private:
  size_t IndexOf(uint64_t key) const {
    size_t index = 0;
    while (queue_[index].first != key) ++index;
    return index;
  }
  std::vector<std::pair<uint64_t, bool>> queue_;
  size_t hand_ = 0;
};

TEST(SieveTest, EvictsAsThePlainOne) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Sieve policy;
    PlainSieve reference;
    CompareVictims(&policy, &reference, seed, {.extra_removals = 20});
  }
}

TEST(SieveTest, NothingEvictableEndsTheSearch) {
  Sieve policy;
  for (BlockId id = 0; id < 10; ++id) policy.OnInsert(id, {.stamp_ns = id + 1u});
  EXPECT_EQ(policy.Victim([](BlockId) { return false; }, 1000), kNoBlock);
  EXPECT_EQ(policy.Victim([](BlockId id) { return id == 7; }, 1000), 7u);
}

}  // namespace
}  // namespace incipit
