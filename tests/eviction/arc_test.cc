#include "eviction/arc.h"

#include <algorithm>
#include <deque>

#include "tests/eviction/policy_driver.h"

namespace incipit {
namespace {

// The paper's algorithm with its lists as deques, oldest in front.
class PlainArc : public ReferencePolicy {
 public:
  explicit PlainArc(size_t capacity) : capacity_(capacity) {}
  void Insert(uint64_t key, const Access&) override {
    from_b2_ = false;
    const size_t b1 = b1_.size(), b2 = b2_.size();
    if (std::erase(b1_, key) > 0) {
      p_ = std::min(capacity_, p_ + std::max<size_t>(1, b2 / b1));
      t2_.push_back(key);
    } else if (std::erase(b2_, key) > 0) {
      const size_t step = std::max<size_t>(1, b1 / b2);
      p_ = p_ > step ? p_ - step : 0;
      t2_.push_back(key);
      from_b2_ = true;
    } else {
      t1_.push_back(key);
    }
  }
  void Touch(uint64_t key, const Access&) override {
    std::erase(t1_, key);
    std::erase(t2_, key);
    t2_.push_back(key);
  }
  uint64_t Victim() override {
    const bool first = !t1_.empty() && (t1_.size() > p_ || t2_.empty() || (from_b2_ && t1_.size() == p_));
    return (first ? t1_ : t2_).front();
  }
  void Remove(uint64_t key) override {
    const bool first = std::erase(t1_, key) > 0;
    std::erase(t2_, key);
    (first ? b1_ : b2_).push_back(key);
    while (!b1_.empty() && t1_.size() + b1_.size() > capacity_) b1_.pop_front();
    while (!b2_.empty() && t1_.size() + t2_.size() + b1_.size() + b2_.size() > 2 * capacity_) b2_.pop_front();
  }

 private:
  size_t capacity_, p_ = 0;
  bool from_b2_ = false;
  std::deque<uint64_t> t1_, t2_, b1_, b2_;
};

TEST(ArcTest, EvictsAsThePlainOne) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Arc policy(20);
    PlainArc reference(20);
    CompareVictims(&policy, &reference, seed, {.extra_removals = 20});
  }
}

TEST(ArcTest, TakesFromTheOtherListWhatOneMayNotGive) {
  Arc policy(4);
  policy.OnInsert(0, {.stamp_ns = 1, .key = 1});
  policy.OnInsert(1, {.stamp_ns = 2, .key = 2});
  policy.OnAccess(1, {.stamp_ns = 3, .key = 2});
  EXPECT_EQ(policy.Victim([](BlockId) { return true; }, 10), 0u);
  EXPECT_EQ(policy.Victim([](BlockId id) { return id == 1; }, 10), 1u);
  EXPECT_EQ(policy.Victim([](BlockId) { return false; }, 10), kNoBlock);
}

}  // namespace
}  // namespace incipit
