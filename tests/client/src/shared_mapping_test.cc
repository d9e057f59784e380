#include "client/src/shared_mapping.h"

#include <gtest/gtest.h>

#include "incipit/shared_region.h"

namespace incipit {
namespace {

constexpr uint64_t kBytes = 1 << 20;

class PlaceNamerTest : public testing::Test {
 protected:
  std::unique_ptr<SharedRegion> one_ = *SharedRegion::Create(kBytes), other_ = *SharedRegion::Create(kBytes);
};

TEST_F(PlaceNamerTest, NamesPiecesOfSeveralRegionsAndJoinsNeighbours) {
  PlaceNamer namer;
  const std::vector<iovec> pieces = {{one_->data() + 100, 50},
                                     {one_->data() + 150, 0},
                                     {one_->data() + 150, 25},
                                     {other_->data(), kBytes},
                                     {one_->data() + kBytes - 1, 1}};
  ASSERT_TRUE(namer.Add(pieces));
  ASSERT_EQ(namer.places().pieces.size(), 3u);
  EXPECT_EQ(namer.places().pieces[0].offset, 100u);
  EXPECT_EQ(namer.places().pieces[0].bytes, 75u);
  EXPECT_EQ(namer.places().pieces[1].bytes, kBytes);
  EXPECT_EQ(namer.places().pieces[2].offset, kBytes - 1);
  EXPECT_NE(namer.places().pieces[0].region_id, namer.places().pieces[1].region_id);
  EXPECT_EQ(namer.places().pieces[0].region_id, namer.places().pieces[2].region_id);
  EXPECT_EQ(namer.used().size(), 2u);
}

TEST_F(PlaceNamerTest, MemoryThatIsNotWhollyInARegionIsNotNamed) {
  uint8_t outside[10];
  for (const iovec piece : {iovec{outside, 10}, iovec{one_->data() + kBytes - 5, 10}, iovec{one_->data() - 1, 2}}) {
    // A neighbour in memory is no part of the region either.
    const bool in_other = static_cast<uint8_t*>(piece.iov_base) >= other_->data() &&
                          static_cast<uint8_t*>(piece.iov_base) + piece.iov_len <= other_->data() + kBytes;
    EXPECT_EQ(PlaceNamer().Add({&piece, 1}), in_other);
  }
}

TEST_F(PlaceNamerTest, RegionsThatAreGoneAreNotNamed) {
  const iovec piece{one_->data(), 10};
  PlaceNamer before;
  ASSERT_TRUE(before.Add({&piece, 1}));
  const uint32_t id = before.places().pieces[0].region_id;
  EXPECT_TRUE(SharedMappings::Has(id));
  one_.reset();
  EXPECT_FALSE(SharedMappings::Has(id));
  EXPECT_FALSE(PlaceNamer().Add({&piece, 1}));
  before.used()[0]->base[0] = 1;  // a call in progress keeps the mapping
}

}  // namespace
}  // namespace incipit
