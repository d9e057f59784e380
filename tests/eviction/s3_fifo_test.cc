#include "eviction/s3_fifo.h"

#include <algorithm>
#include <deque>

#include "tests/eviction/policy_driver.h"

namespace incipit {
namespace {

class PlainS3Fifo : public ReferencePolicy {
 public:
  PlainS3Fifo(size_t capacity, int threshold)
      : small_share_(std::max<size_t>(1, capacity / 10)), history_(capacity - small_share_), threshold_(threshold) {}
  void Insert(uint64_t key, const Access&) override {
    counts_[key] = 0;
    (std::erase(ghosts_, key) > 0 ? main_ : small_).push_back(key);
  }
  void Touch(uint64_t key, const Access&) override { counts_[key] = std::min(3, counts_[key] + 1); }
  uint64_t Victim() override {
    while (true) {
      if (small_.size() >= small_share_ || main_.empty()) {
        const uint64_t key = small_.front();
        if (counts_[key] <= threshold_) return key;
        small_.pop_front();
        main_.push_back(key);
        counts_[key] = 0;
      } else {
        const uint64_t key = main_.front();
        if (counts_[key] == 0) return key;
        main_.pop_front();
        main_.push_back(key);
        --counts_[key];
      }
    }
  }
  void Remove(uint64_t key) override {
    std::erase(main_, key);
    if (std::erase(small_, key) == 0) return;
    ghosts_.push_back(key);
    if (ghosts_.size() > history_) ghosts_.pop_front();
  }

 private:
  size_t small_share_, history_;
  int threshold_;
  std::deque<uint64_t> small_, main_, ghosts_;
  std::map<uint64_t, int> counts_;
};

TEST(S3FifoTest, EvictsAsThePlainOneAtBothThresholds) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    for (const uint32_t threshold : {0u, 1u}) {
      S3Fifo policy({.capacity_blocks = 20, .threshold = threshold});
      PlainS3Fifo reference(20, static_cast<int>(threshold));
      CompareVictims(&policy, &reference, seed, {.extra_removals = 20});
    }
  }
}

TEST(S3FifoTest, NothingEvictableEndsTheSearch) {
  S3Fifo policy({.capacity_blocks = 10});
  for (BlockId id = 0; id < 10; ++id) policy.OnInsert(id, {.stamp_ns = id + 1u, .key = id + 1u});
  EXPECT_EQ(policy.Victim([](BlockId) { return false; }, 1000), kNoBlock);
  EXPECT_EQ(policy.Victim([](BlockId id) { return id == 7; }, 1000), 7u);
}

}  // namespace
}  // namespace incipit
