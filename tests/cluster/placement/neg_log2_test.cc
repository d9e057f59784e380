#include "cluster/placement/neg_log2.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cache/seams/random.h"

namespace incipit {
namespace {

constexpr double kUnit = 1ull << kNegLog2FractionBits;

TEST(NegLog2, TableIsTheLogarithmRoundedDown) {
  for (size_t i = 0; i <= 256; ++i) {
    const long double exact = std::log2(1.0L + i / 256.0L) * kUnit;
    EXPECT_NEAR(static_cast<double>(kLog2Table[i] - exact), -0.5, 0.51) << i;
  }
}

TEST(NegLog2, HasTheValuesOfThePage) {
  EXPECT_EQ(kLog2Table[1], 6184257239u);
  EXPECT_EQ(kLog2Table[128], 643173071355u);
  EXPECT_EQ(kLog2Table[255], 1096410434270u);
  EXPECT_EQ(NegLog2(0), kMaxNegLog2);
  EXPECT_EQ(NegLog2(1), kMaxNegLog2);
  EXPECT_EQ(NegLog2(1ull << 63), 1ull << kNegLog2FractionBits);
  EXPECT_EQ(NegLog2(UINT64_MAX), 2u);
}

TEST(NegLog2, IsNearTheLogarithm) {
  const auto random = MakeSeededRandom(7);
  for (int i = 0; i < 200'000; ++i) {
    // Of all sizes, and close to 2^64, where the winners of many nodes lie.
    const uint64_t shift = random->Below(60);
    const uint64_t small = random->Next() >> shift;
    const uint64_t h = i % 2 == 0 ? small : ~small;
    if (h == 0 || ~h < (1ull << 40)) continue;
    const long double exact = h < (1ull << 63) ? 64 - std::log2(static_cast<long double>(h))
                                               : -std::log1p(-static_cast<long double>(~h + 1) / 0x1p64L) / M_LN2;
    const double units = static_cast<double>(exact) * kUnit;
    ASSERT_NEAR(static_cast<double>(NegLog2(h)), units, units / 1024 + 4) << h;
  }
}

TEST(NegLog2, NeverAscends) {
  const auto random = MakeSeededRandom(8);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t h = random->Next() >> random->Below(64);
    const uint64_t step = random->Next() >> random->Below(64);
    const uint64_t above = h > UINT64_MAX - step ? UINT64_MAX : h + step;
    ASSERT_GE(NegLog2(h), NegLog2(above)) << h << " " << above;
  }
  for (uint64_t i = 1; i < 512; ++i) {  // across the ends of the table's intervals
    const uint64_t edge = i << 55;
    EXPECT_GE(NegLog2(edge - 1), NegLog2(edge)) << i;
  }
}

}  // namespace
}  // namespace incipit
