#include "cache/codec/rank_tile.h"

#include <gtest/gtest.h>

#include <set>

namespace incipit::codec_internal {
namespace {

TEST(RankTile, EveryValueHasABitOfItsOwn) {
  std::set<std::pair<size_t, unsigned>> seen;
  for (size_t index = 0; index < kTileValues; ++index) {
    const BitPlace place = PlaceOf(index);
    ASSERT_LT(place.word, kTileWords);
    ASSERT_LT(place.bit, 64U);
    ASSERT_EQ(IndexOf(place.word, place.bit), index);
    ASSERT_TRUE(seen.emplace(place.word, place.bit).second);
  }
}

TEST(RankTile, LabelsOfRanksAreDistinctAndNoneIsTheExceptions) {
  for (const Levels levels : {Levels::kTwo, Levels::kThree}) {
    std::set<uint8_t> labels;
    for (size_t rank = 0; rank < RanksOf(levels); ++rank) labels.insert(LabelOf(levels, rank));
    EXPECT_EQ(labels.size(), RanksOf(levels));
    EXPECT_FALSE(labels.contains(kExceptionLabel));
    EXPECT_LE(*labels.rbegin(), kExceptionLabel);
  }
}

TEST(RankTile, RarerRanksNeverHaveShorterCodes) {
  for (const Levels levels : {Levels::kTwo, Levels::kThree}) {
    for (size_t rank = 1; rank < RanksOf(levels); ++rank) {
      EXPECT_GE(BitsOfRank(levels, rank), BitsOfRank(levels, rank - 1));
    }
  }
}

}  // namespace
}  // namespace incipit::codec_internal
