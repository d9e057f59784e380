#include "cache/seams/random.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace incipit {
namespace {

// First numbers of splitmix64 from seed 0, as published with the algorithm. Campaigns name their runs by seed, so the
// sequence must never change.
TEST(SeededRandom, SequenceOfASeedIsFixed) {
  const std::unique_ptr<Random> random = MakeSeededRandom(0);
  EXPECT_EQ(random->Next(), 0xe220a8397b1dcdafull);
  EXPECT_EQ(random->Next(), 0x6e789e6aa1b965f4ull);
  EXPECT_EQ(random->Next(), 0x06c45d188009454full);
}

TEST(SeededRandom, BelowStaysBelowAndReachesAll) {
  const std::unique_ptr<Random> random = MakeSeededRandom(1);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = random->Below(7);
    ASSERT_LT(value, 7u);
    seen.insert(value);
  }
  EXPECT_EQ(seen.size(), 7u);
  EXPECT_EQ(random->Below(1), 0u);
}

TEST(SeededRandom, FillWritesOddTailsAndNothingBeyond) {
  std::vector<uint8_t> bytes(20, 0);
  MakeSeededRandom(1)->Fill(MutableBytes(bytes).first(13));
  std::vector<uint8_t> longer(16, 0);
  MakeSeededRandom(1)->Fill(longer);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.begin() + 13, longer.begin()));
  EXPECT_EQ(std::vector<uint8_t>(bytes.begin() + 13, bytes.end()), std::vector<uint8_t>(7, 0));
}

TEST(SystemRandom, TwoSourcesDiffer) {
  // Equal by chance once in 2^128.
  const std::unique_ptr<Random> a = MakeSystemRandom(), b = MakeSystemRandom();
  EXPECT_FALSE(a->Next() == b->Next() && a->Next() == b->Next());
}

}  // namespace
}  // namespace incipit
