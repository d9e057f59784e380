#include "bench/replay/capacity.h"

#include <gtest/gtest.h>

#include "cache/format/region.h"
#include "cache/ram/arena.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

BlockShape Shape(uint32_t bytes_per_token) {
  return ShapeOf(*CustomLayout(1, bytes_per_token, 512), "default", "replay", 32);
}

TEST(CapacityTest, RecordsAreLargerThanTheirPayloadByTheHeader) {
  const BlockShape shape = Shape(128);
  EXPECT_EQ(shape.payload_bytes, 65536u);
  EXPECT_GT(shape.record_bytes, shape.payload_bytes + 88);
  EXPECT_LT(shape.record_bytes, shape.payload_bytes + 1024);
}

TEST(CapacityTest, RamHoldsTheBlocksAskedForToWithinHalfAnArenaStep) {
  const BlockShape shape = Shape(128);
  const uint64_t allocated = Arena::AllocatedBytesFor(shape.record_bytes);
  for (const uint64_t blocks : {1000u, 3656u, 18279u}) {
    const uint64_t bytes = RamBytesFor(blocks, shape, 4);
    EXPECT_EQ(bytes % (16 * kMiB), 0u);  // four whole arenas
    const auto held = static_cast<int64_t>(bytes / allocated);
    EXPECT_LE(std::abs(held - static_cast<int64_t>(blocks)), static_cast<int64_t>(8 * kMiB / allocated + 1)) << blocks;
  }
}

TEST(CapacityTest, SmallestRamIsOneArenaStepForEachShard) { EXPECT_EQ(RamBytesFor(0, Shape(8), 4), 16 * kMiB); }

TEST(CapacityTest, RegionsAreValidAndHoldSeveralRecords) {
  for (const uint32_t bytes_per_token : {8u, 128u, 890u, 70'272u}) {
    const BlockShape shape = Shape(bytes_per_token);
    const NvmeSizes sizes = NvmeSizesFor(14'623, shape, 4);
    EXPECT_EQ(sizes.region_bytes % kDiskPageBytes, 0u);
    EXPECT_GE(sizes.region_bytes, kMinRegionBytes);
    EXPECT_LE(sizes.region_bytes, kMaxRegionBytes);
    EXPECT_GE(sizes.region_bytes, 4 * shape.record_bytes);
    EXPECT_GT(sizes.nvme_bytes, 14'623 * shape.record_bytes);
    EXPECT_LT(sizes.nvme_bytes, 14'623 * shape.record_bytes * 5 / 4 + 4 * (16 * kMiB + 5 * sizes.region_bytes));
  }
}

}  // namespace
}  // namespace incipit::bench
