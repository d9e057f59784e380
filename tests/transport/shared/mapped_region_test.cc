#include "transport/shared/mapped_region.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace incipit {
namespace {

constexpr uint64_t kBytes = 64 << 10;

OwnedFd Memory(int seals) {
  OwnedFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(fd.get(), kBytes), 0);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

TEST(MappedRegionTest, BothEndsSeeTheSameBytesAndTheMappingOutlivesTheDescriptor) {
  OwnedFd fd = Memory(F_SEAL_SHRINK);
  auto region = MappedRegion::Map(fd, kBytes);
  ASSERT_TRUE(region.ok()) << region.status();
  std::memcpy((*region)->base(), "words", 5);
  char read_back[5];
  ASSERT_EQ(pread(fd.get(), read_back, 5, 0), 5);
  EXPECT_EQ(std::memcmp(read_back, "words", 5), 0);
  fd.Reset();
  (*region)->base()[kBytes - 1] = 1;
}

TEST(MappedRegionTest, BoundsAreKeptWhateverIsAskedFor) {
  auto region = MappedRegion::Map(Memory(F_SEAL_SHRINK), kBytes);
  ASSERT_TRUE(region.ok());
  EXPECT_TRUE((*region)->Holds(0, kBytes));
  EXPECT_TRUE((*region)->Holds(kBytes, 0));
  EXPECT_FALSE((*region)->Holds(0, kBytes + 1));
  EXPECT_FALSE((*region)->Holds(1, kBytes));
  EXPECT_FALSE((*region)->Holds(kBytes + 1, 0));
  EXPECT_FALSE((*region)->Holds(UINT64_MAX, 1));
  EXPECT_FALSE((*region)->Holds(1, UINT64_MAX));
}

TEST(MappedRegionTest, WhatMayShrinkOrCannotBeWrittenIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(MappedRegion::Map(Memory(0), kBytes).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(MappedRegion::Map(Memory(F_SEAL_SHRINK | F_SEAL_WRITE), kBytes).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(MappedRegion::Map(Memory(F_SEAL_SHRINK), kBytes + 1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(MappedRegion::Map(Memory(F_SEAL_SHRINK), kBytes - 1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(MappedRegion::Map(OwnedFd(), kBytes).status()));
}

}  // namespace
}  // namespace incipit
