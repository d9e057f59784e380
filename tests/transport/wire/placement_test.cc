#include "transport/wire/placement.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "cache/seams/random.h"

namespace incipit::wire {
namespace {

using Seed = std::array<uint8_t, 16>;
constexpr int kKeys = 40'000;

// Stand-ins for framed identities: any bytes will do.
std::array<uint8_t, 100> Identity(uint64_t number) {
  std::array<uint8_t, 100> framed{};
  std::memcpy(framed.data() + 60, &number, sizeof(number));
  return framed;
}

Seed SeedOf(uint64_t number) {
  Seed seed{};
  MakeSeededRandom(number)->Fill(seed);
  return seed;
}

TEST(PlacementTest, OneShardHoldsEverything) {
  const Placement placement(SeedOf(1), 1, 1);
  for (uint64_t key = 0; key < 100; ++key) EXPECT_EQ(placement.ShardOf(Identity(key)), 0);
}

TEST(PlacementTest, ShardsGetEqualShares) {
  for (const uint16_t shards : {2, 3, 4, 8, 16}) {
    for (const uint64_t node_id : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
      SCOPED_TRACE(testing::Message() << shards << " shards, node " << node_id);
      const Placement placement(SeedOf(shards), node_id, shards);
      std::vector<int> keys(shards);
      for (uint64_t key = 0; key < kKeys; ++key) ++keys.at(placement.ShardOf(Identity(key)));
      const double expected = static_cast<double>(kKeys) / shards;
      // Chi-squared over its degrees of freedom stays near 1 for an even spread; 40,000 keys show a skew of 5 %.
      double chi_squared = 0;
      for (const int found : keys) chi_squared += (found - expected) * (found - expected) / expected;
      EXPECT_LT(chi_squared / (shards - 1), 7.0);
      for (const int found : keys) EXPECT_NEAR(found, expected, 0.1 * expected);
    }
  }
}

TEST(PlacementTest, AnAddedShardOnlyTakesKeysForItself) {
  for (uint16_t shards = 1; shards < 12; ++shards) {
    const Placement before(SeedOf(1), 5, shards);
    const Placement after(SeedOf(1), 5, static_cast<uint16_t>(shards + 1));
    int moved = 0;
    for (uint64_t key = 0; key < 5'000; ++key) {
      const auto identity = Identity(key);
      if (before.ShardOf(identity) == after.ShardOf(identity)) continue;
      EXPECT_EQ(after.ShardOf(identity), shards) << "key " << key;
      ++moved;
    }
    EXPECT_NEAR(moved, 5'000.0 / (shards + 1), 150) << shards << " shards";
  }
}

// Share of keys that two placements send to the same of 4 shards.
double Agreement(const Placement& a, const Placement& b) {
  int same = 0;
  for (uint64_t key = 0; key < kKeys; ++key) same += a.ShardOf(Identity(key)) == b.ShardOf(Identity(key));
  return static_cast<double>(same) / kKeys;
}

TEST(PlacementTest, SeedsAndNodesPlaceIndependently) {
  const Placement placement(SeedOf(1), 5, 4);
  EXPECT_EQ(Agreement(placement, Placement(SeedOf(1), 5, 4)), 1.0);
  EXPECT_NEAR(Agreement(placement, Placement(SeedOf(2), 5, 4)), 0.25, 0.02);
  EXPECT_NEAR(Agreement(placement, Placement(SeedOf(1), 6, 4)), 0.25, 0.02);
}

TEST(PlacementTest, EveryByteOfTheIdentityCounts) {
  const Placement placement(SeedOf(3), 5, 255);
  for (size_t at = 0; at < 100; ++at) {
    int moved = 0;
    for (uint64_t key = 0; key < 20; ++key) {
      auto identity = Identity(key);
      const uint16_t before = placement.ShardOf(identity);
      identity[at] ^= 0x10;
      moved += placement.ShardOf(identity) != before;
    }
    EXPECT_GT(moved, 15) << "byte " << at;
  }
}

}  // namespace
}  // namespace incipit::wire
