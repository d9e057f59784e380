#include "cache/ram/buddy_pool.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "cache/base/bytes.h"
#include "gtest/gtest.h"

namespace incipit {
namespace {

constexpr uint64_t kLargestBytes = kArenaUnitBytes << kMaxExtentOrder;
constexpr uint64_t kLargestUnits = uint64_t{1} << kMaxExtentOrder;

class BuddyPoolTest : public testing::Test {
 protected:
  struct Freer {
    void operator()(uint8_t* at) const { std::free(at); }
  };
  std::unique_ptr<uint8_t, Freer> memory_{static_cast<uint8_t*>(std::aligned_alloc(kLargestBytes, 2 * kLargestBytes))};
  BuddyPool pool_{memory_.get(), 2 * kLargestBytes};
};

TEST_F(BuddyPoolTest, SplitsTheSmallestBlockThatFits) {
  const Extent small = pool_.TakeAtMost(3);
  EXPECT_EQ(small, (Extent{0, 3}));
  for (int order = 3; order <= kMaxExtentOrder; ++order) EXPECT_EQ(pool_.CountFree(order), 1u) << order;
  // The half left over is used up before anything larger is cut.
  EXPECT_EQ(pool_.TakeAtMost(3), (Extent{8, 3}));
  EXPECT_EQ(pool_.CountFree(kMaxExtentOrder), 1u);
  EXPECT_EQ(pool_.CountFree(4), 1u);
  EXPECT_EQ(pool_.free_units(), 2 * kLargestUnits - 16);
}

TEST_F(BuddyPoolTest, FreedHalvesMergeBackToTheWhole) {
  std::vector<Extent> taken;
  while (pool_.free_units() > 0) taken.push_back(pool_.TakeAtMost(5));
  EXPECT_EQ(taken.size(), 2 * kLargestUnits / 32);
  for (size_t i = 0; i < taken.size(); i += 2) pool_.Put(taken[i]);
  EXPECT_EQ(pool_.CountFree(5), taken.size() / 2);
  for (size_t i = 1; i < taken.size(); i += 2) pool_.Put(taken[i]);
  EXPECT_EQ(pool_.CountFree(kMaxExtentOrder), 2u);
  EXPECT_EQ(pool_.free_units(), 2 * kLargestUnits);
}

TEST_F(BuddyPoolTest, GivesTheLargestPieceWhenNoneIsLargeEnough) {
  std::vector<Extent> taken;
  while (pool_.free_units() > 0) taken.push_back(pool_.TakeAtMost(5));
  pool_.Put(taken[0]);
  pool_.Put(taken[10]);
  pool_.Put(taken[11]);
  EXPECT_EQ(pool_.TakeAtMost(kMaxExtentOrder), (Extent{320, 6}));
  EXPECT_EQ(pool_.TakeAtMost(kMaxExtentOrder), (Extent{0, 5}));
  EXPECT_EQ(pool_.free_units(), 0u);
}

TEST_F(BuddyPoolTest, PartsOfABlockMayBeFreedApart) {
  const Extent whole = pool_.TakeAtMost(4);
  pool_.Put({whole.unit + 8, 3});
  pool_.Put({whole.unit, 3});
  EXPECT_EQ(pool_.CountFree(kMaxExtentOrder), 2u);
}

using BuddyPoolDeathTest = BuddyPoolTest;

TEST_F(BuddyPoolDeathTest, DoubleFreeEndsTheProcess) {
  const Extent first = pool_.TakeAtMost(2);
  const Extent second = pool_.TakeAtMost(2);
  pool_.Put(first);
  EXPECT_DEATH(pool_.Put(first), "already free");
  pool_.Put(second);
  EXPECT_DEATH(pool_.Put(second), "already free");
}

TEST_F(BuddyPoolDeathTest, FreeOfWhatWasNeverTakenEndsTheProcess) {
  EXPECT_DEATH(pool_.Put({64, 2}), "already free");
  EXPECT_DEATH(pool_.Put({2 * kLargestUnits, 0}), "no block of this arena");
  EXPECT_DEATH(pool_.Put({1, 1}), "no block of this arena");
  EXPECT_DEATH(pool_.Put({0, kMaxExtentOrder + 1}), "no block of this arena");
}

TEST_F(BuddyPoolDeathTest, TakeFromAnEmptyPoolEndsTheProcess) {
  pool_.TakeAtMost(kMaxExtentOrder);
  pool_.TakeAtMost(kMaxExtentOrder);
  EXPECT_DEATH(pool_.TakeAtMost(0), "empty pool");
}

// Under AddressSanitizer the write itself ends the process; elsewhere the next use of the list does.
TEST_F(BuddyPoolDeathTest, WriteToFreedMemoryEndsTheProcess) {
  const Extent first = pool_.TakeAtMost(2);
  const Extent second = pool_.TakeAtMost(2);
  pool_.Put(first);
  EXPECT_DEATH(
      {
        uint8_t* freed = memory_.get() + first.unit * kArenaUnitBytes;
        std::fill(freed, freed + 16, 0xab);
        pool_.Put(second);
      },
      "free memory was written to|use-after-poison");
}

}  // namespace
}  // namespace incipit
