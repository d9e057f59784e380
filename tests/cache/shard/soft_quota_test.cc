#include "cache/shard/soft_quota.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(SoftQuota, WithoutOneNothingIsOver) {
  const SoftQuota quota;
  EXPECT_TRUE(quota.Admits(UINT64_MAX));
  EXPECT_FALSE(quota.IsOver(1000, UINT64_MAX - 1000));
  EXPECT_TRUE(quota.IsOver(1000, UINT64_MAX)) << "and nothing overflows";
  EXPECT_FALSE(quota.HasSurplus(UINT64_MAX));
}

TEST(SoftQuota, AShareIsKept) {
  SoftQuota quota;
  quota.Set(100, 0, 0);
  EXPECT_FALSE(quota.IsOver(60, 40));
  EXPECT_TRUE(quota.IsOver(61, 40));
  EXPECT_TRUE(quota.IsOver(101, 0));
  EXPECT_TRUE(quota.Admits(100));
  EXPECT_FALSE(quota.Admits(101));
  quota.Set(0, 0, 0);
  EXPECT_FALSE(quota.Admits(1));
  EXPECT_TRUE(quota.IsOver(0, 1));
}

TEST(SoftQuota, SurplusGoesByteForByteWithWhatIsStored) {
  SoftQuota quota;
  quota.Set(100, 0, 0);
  quota.Set(40, 0, 90);
  EXPECT_TRUE(quota.HasSurplus(90));
  EXPECT_FALSE(quota.IsOver(80, 10)) << "nothing goes before something is stored, but what makes room for that";
  quota.NoteStored(10, 90);
  EXPECT_FALSE(quota.IsOver(70, 10));
  EXPECT_TRUE(quota.IsOver(71, 10));
  quota.NoteStored(30, 80);
  EXPECT_TRUE(quota.IsOver(41, 10));
  EXPECT_TRUE(quota.HasSurplus(50));
  quota.NoteStored(10, 50);
  EXPECT_FALSE(quota.HasSurplus(50)) << "50 bytes were stored: the surplus of 50 is to be gone";
  EXPECT_TRUE(quota.IsOver(31, 10));
  EXPECT_FALSE(quota.IsOver(30, 10));
}

TEST(SoftQuota, WhatOthersTookOfTheSurplusDoesNotComeBack) {
  SoftQuota quota;
  quota.Set(40, 0, 90);
  quota.NoteStored(1, 60);
  EXPECT_TRUE(quota.IsOver(60, 0));
  EXPECT_FALSE(quota.IsOver(59, 0));
  quota.NoteStored(1, 20);
  EXPECT_TRUE(quota.IsOver(41, 0)) << "below its share it has no surplus";
}

TEST(SoftQuota, TheSameShareAgainBringsNoSurplusBackAndALargerOneCountsAtOnce) {
  SoftQuota quota;
  quota.Set(40, 0, 90);
  quota.NoteStored(30, 90);
  quota.Set(40, 0, 90);
  EXPECT_TRUE(quota.IsOver(61, 0));
  quota.Set(30, 0, 60);
  EXPECT_FALSE(quota.IsOver(60, 0)) << "of a share that falls again the rest is surplus too";
  quota.Set(200, 0, 60);
  EXPECT_FALSE(quota.IsOver(100, 100));
  EXPECT_FALSE(quota.HasSurplus(150));
}

TEST(SoftQuota, WhatIsFoundAtAStartIsSurplusToo) {
  SoftQuota quota;
  quota.Set(40, 0, 0);
  quota.NoteFound(30);
  EXPECT_TRUE(quota.IsOver(41, 0));
  quota.NoteFound(70);
  EXPECT_FALSE(quota.IsOver(70, 0));
  quota.NoteStored(100, 80);
  EXPECT_TRUE(quota.IsOver(41, 0));
}

TEST(SoftQuota, ARecordOverTheShareMayBeThereAlone) {
  SoftQuota quota;
  quota.Set(40, 60, 0);
  EXPECT_TRUE(quota.Admits(60));
  EXPECT_FALSE(quota.Admits(61));
  EXPECT_FALSE(quota.IsOver(0, 60));
  EXPECT_TRUE(quota.IsOver(1, 60));
  EXPECT_TRUE(quota.IsOver(0, 61));
  quota.NoteStored(60, 60);
  EXPECT_FALSE(quota.HasSurplus(60)) << "others must not drive it out before their own";
  EXPECT_TRUE(quota.IsOver(60, 10)) << "but the next one does";
  EXPECT_FALSE(quota.IsOver(0, 60));
}

}  // namespace
}  // namespace incipit
