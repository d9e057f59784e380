#include "eviction/fifo.h"

#include <algorithm>

#include "tests/eviction/policy_driver.h"

namespace incipit {
namespace {

class PlainFifo : public ReferencePolicy {
 public:
  void Insert(uint64_t key, const Access&) override { queue_.push_back(key); }
  void Touch(uint64_t, const Access&) override {}
  uint64_t Victim() override { return queue_.front(); }
  void Remove(uint64_t key) override { std::erase(queue_, key); }

 private:
  std::vector<uint64_t> queue_;
};

TEST(FifoTest, EvictsAsThePlainOne) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Fifo policy;
    PlainFifo reference;
    CompareVictims(&policy, &reference, seed, {.extra_removals = 20});
  }
}

}  // namespace
}  // namespace incipit
