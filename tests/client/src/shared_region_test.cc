#include "incipit/shared_region.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/src/shared_mapping.h"

namespace incipit {
namespace {

TEST(SharedRegionTest, IsZeroWholePagesThatNobodyCanCutShort) {
  const auto region = SharedRegion::Create(5000);
  ASSERT_TRUE(region.ok()) << region.status();
  EXPECT_EQ((*region)->bytes(), 8192u);
  for (uint64_t i = 0; i < (*region)->bytes(); ++i) EXPECT_EQ((*region)->data()[i], 0);
  const SharedMappingPtr mapping = SharedMappings::All().back();
  EXPECT_NE(fcntl(mapping->fd.get(), F_GET_SEALS) & F_SEAL_SHRINK, 0);
  EXPECT_NE(ftruncate(mapping->fd.get(), 4096), 0);
}

TEST(SharedRegionTest, MemoryComesBackAtOnceAlsoWhileOthersMapIt) {
  auto region = SharedRegion::Create(1 << 20);
  ASSERT_TRUE(region.ok());
  std::fill_n((*region)->data(), 1 << 20, uint8_t{1});
  SharedMappingPtr mapping;
  for (const SharedMappingPtr& other : SharedMappings::All()) {
    if (other->base == (*region)->data()) mapping = other;
  }
  ASSERT_NE(mapping, nullptr);
  struct stat info {};
  ASSERT_EQ(fstat(mapping->fd.get(), &info), 0);
  EXPECT_GT(info.st_blocks, 0);
  region->reset();
  ASSERT_EQ(fstat(mapping->fd.get(), &info), 0);
  EXPECT_EQ(info.st_blocks, 0);
}

TEST(SharedRegionTest, SizesThatMakeNoSenseAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(SharedRegion::Create(0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SharedRegion::Create(UINT64_MAX).status()));
}

}  // namespace
}  // namespace incipit
