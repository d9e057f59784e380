#include "cache/nvme/reclaimer.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/cache/nvme/tier_fixture.h"

namespace incipit {
namespace {

using testing::MakeContents;
using testing::SmallOptions;
using testing::TierNode;

TEST(Reclaimer, ChurnOfManyTimesTheCapacityKeepsWhatIsValued) {
  const NvmeOptions options = SmallOptions();
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    TierNode node(MakeContents(options, 10), options, seed);
    ASSERT_TRUE(node.Start().ok());
    std::unique_ptr<Random> random = MakeSeededRandom(seed);
    for (uint64_t i = 0; i < 1'500; ++i) {
      // Overwrites and evictions leave holes in every region.
      const uint64_t n = random->Below(400);
      absl::Status put = node.Put(n, i, 200 + random->Below(20'000));
      ASSERT_TRUE(put.ok()) << i << ": " << put;
    }
    EXPECT_GT(node.tier->stats().regions_reclaimed, 20u);
    EXPECT_GT(node.host.moved, 0u);
    EXPECT_EQ(node.host.dropped_valued, 0u);
    EXPECT_TRUE(node.GetAll().ok()) << node.GetAll();
    uint64_t bytes = 0;
    for (const auto& [n, block] : node.host.index) bytes += AlignUp(block.record_bytes(), kRecordAlign);
    EXPECT_EQ(node.tier->stats().valued_bytes, bytes);
    EXPECT_TRUE(node.Exit().ok());
  }
}

TEST(Reclaimer, ConcurrentAppendsAndReadsSurviveReclaim) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 9), options, 3);
  ASSERT_TRUE(node.Start().ok());
  std::unique_ptr<Random> random = MakeSeededRandom(3);
  uint64_t failed = 0, wrong = 0, done = 0;
  const auto worker = [](TierNode* on, Random* dice, uint64_t* failures, uint64_t* wrongs,
                         uint64_t* dones) -> Task<void> {
    for (int i = 0; i < 150; ++i) {
      const uint64_t n = dice->Below(120);
      if (dice->Below(3) > 0) {
        Task<absl::Status> putting = on->PutTask(n, dice->Next() >> 1, 100 + dice->Below(30'000), 3);
        const absl::Status status = co_await putting;
        if (!status.ok()) ++*failures;
      } else {
        Task<absl::Status> getting = on->GetTask(n, nullptr);
        const absl::Status status = co_await getting;
        // A block may go between the look into the index and the read.
        if (!status.ok() && !absl::IsNotFound(status) && !absl::IsDataLoss(status)) ++*wrongs;
      }
      ++*dones;
    }
  };
  TaskScope scope(&node.loop);
  for (int i = 0; i < 8; ++i) scope.Spawn(worker(&node, random.get(), &failed, &wrong, &done));
  node.loop.RunUntilIdle();
  EXPECT_EQ(done, 8u * 150);
  EXPECT_EQ(failed, 0u);
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(node.tier->stats().regions_reclaimed, 5u);
  EXPECT_EQ(node.host.dropped_valued, 0u);
  EXPECT_TRUE(node.GetAll().ok());
}

TEST(Reclaimer, SparesAreDroppedRatherThanMoved) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 8), options, 5);
  ASSERT_TRUE(node.Start().ok());
  for (uint64_t n = 0; n < 400; ++n) {
    ASSERT_TRUE(node.Put(n, 1, 10'000).ok());
    node.host.SetSpare(n, true);
  }
  EXPECT_GT(node.tier->stats().regions_reclaimed, 3u);
  EXPECT_EQ(node.tier->stats().bytes_reinserted, 0u);
  EXPECT_GT(node.host.dropped.size(), 100u);
  EXPECT_TRUE(node.GetAll().ok());
}

TEST(Reclaimer, TooMuchValuedIsResourceExhausted) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 6), options, 6);
  ASSERT_TRUE(node.Start().ok());
  absl::Status status;
  uint64_t n = 0;
  for (; n < 1'000 && status.ok(); ++n) {  // a host that gives nothing up
    testing::TestRecord record = testing::MakeTestRecord(n, 1, 10'000);
    std::vector<iovec> pieces = record.Pieces();
    absl::StatusOr<DiskLocation> at = node.loop.Run(node.tier->Append(record.entry, pieces));
    status = at.status();
    if (at.ok()) node.host.Insert(n, record, *at);
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_GE(node.tier->stats().valued_bytes, node.tier->UsableBytes());
  EXPECT_EQ(node.host.dropped_valued, 0u);
  EXPECT_TRUE(node.GetAll().ok());
  // It goes on as soon as something is given up.
  for (uint64_t i = 0; i < 60; ++i) node.host.Forget(i);
  EXPECT_TRUE(node.Put(5'000, 1, 10'000).ok());
}

// Overwrites a steady set of blocks at random, so that all regions come to have holes and are reclaimed in turn.
void Churn(TierNode* node, int count) {
  std::unique_ptr<Random> random = MakeSeededRandom(99);
  for (int i = 0; i < count; ++i) {
    absl::Status put = node->Put(random->Below(80), i, 10'000);
    ASSERT_TRUE(put.ok()) << i << ": " << put;
  }
}

TEST(Reclaimer, DamagedRecordsAreDroppedNotMoved) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 8);
  TierNode node(contents, options, 7);
  ASSERT_TRUE(node.Start().ok());
  ASSERT_TRUE(node.Put(1'000, 1, 10'000).ok());
  ASSERT_TRUE(node.Put(1'001, 1, 10'000).ok());
  const DiskLocation at = node.host.index.at(1'000).at;
  contents->FlipBit(kFirstRegionOffset + at.region * options.region_bytes + at.offset + 9'000, 3);
  Churn(&node, 300);
  EXPECT_TRUE(node.host.dropped.contains(1'000));
  EXPECT_TRUE(node.host.index.contains(1'001));
  EXPECT_EQ(node.tier->stats().damaged_records, 1u);
  EXPECT_TRUE(node.GetAll().ok());
}

TEST(Reclaimer, DamagedTableOfContentsIsReplacedByAScan) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 8);
  TierNode node(contents, options, 8);
  ASSERT_TRUE(node.Start().ok());
  ASSERT_TRUE(node.Put(1'000, 1, 10'000).ok());
  const uint32_t region = node.host.index.at(1'000).at.region;
  while (node.tier->stats().regions_sealed == 0) Churn(&node, 1);
  // The table of contents ends right before the footer's page: the byte before is padding, the page's first is not.
  contents->FlipBit(kFirstRegionOffset + (region + 1) * options.region_bytes - 2 * kDiskPageBytes, 1);
  Churn(&node, 300);
  EXPECT_EQ(node.host.regions_dropped, 1u);
  EXPECT_TRUE(node.host.index.contains(1'000));
  EXPECT_FALSE(node.host.index.at(1'000).at.region == region && node.tier->stats().regions_reclaimed == 0);
  EXPECT_TRUE(node.GetAll().ok());
}

TEST(Reclaimer, AbsurdFooterIsReplacedByAScan) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 8);
  TierNode node(contents, options, 9);
  ASSERT_TRUE(node.Start().ok());
  ASSERT_TRUE(node.Put(1'000, 1, 10'000).ok());
  const uint32_t region = node.host.index.at(1'000).at.region;
  while (node.tier->stats().regions_sealed == 0) Churn(&node, 1);
  const std::vector<uint8_t> noise(kDiskPageBytes, 0xEE);
  contents->Overwrite(kFirstRegionOffset + (region + 1) * options.region_bytes - kDiskPageBytes, noise);
  Churn(&node, 300);
  EXPECT_EQ(node.host.regions_dropped, 1u);
  EXPECT_TRUE(node.host.index.contains(1'000));
  EXPECT_TRUE(node.GetAll().ok());
}

// The process ends as by kill -9: what was written stays, nothing is sealed.
void Kill(TierNode* node) {
  node->faulty.CrashAtOperation(node->faulty.operations() + 1, [] {});
  EXPECT_FALSE(node->Flush().ok());
}

TEST(Reclaimer, RestartOfAFullTierLosesNothing) {
  const NvmeOptions options = SmallOptions();
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    std::shared_ptr<MemDiskContents> contents = MakeContents(options, 8);
    std::set<uint64_t> before;
    {
      TierNode node(contents, options, seed);
      ASSERT_TRUE(node.Start().ok());
      std::unique_ptr<Random> random = MakeSeededRandom(seed);
      // Spare copies fill every region; only some blocks are valued. After the restart all are.
      const uint64_t count = 150 + random->Below(400);
      for (uint64_t n = 0; n < count; ++n) {
        ASSERT_TRUE(node.Put(n, 1, 5'000 + random->Below(10'000)).ok());
        if (random->Below(3) > 0) node.host.SetSpare(n, true);
      }
      for (const auto& [n, block] : node.host.index) before.insert(n);
      Kill(&node);
    }
    for (int restart = 0; restart < 6; ++restart) {
      TierNode node(contents, options, seed * 100 + restart);
      ASSERT_TRUE(node.Start().ok());
      for (const uint64_t n : before) EXPECT_TRUE(node.host.index.contains(n)) << n << " after restart " << restart;
      node.Pass(30'000);
      for (const uint64_t n : before) EXPECT_TRUE(node.host.index.contains(n)) << n << " was given up by reclaim";
      EXPECT_EQ(node.host.dropped_valued, 0u);
      EXPECT_TRUE(node.GetAll().ok());
      if (HasFailure()) return;
      Kill(&node);
    }
    TierNode node(contents, options, seed);
    ASSERT_TRUE(node.Start().ok());
    for (uint64_t n = 10'000; n < 10'100; ++n) EXPECT_TRUE(node.Put(n, 1, 10'000).ok()) << n;
    EXPECT_TRUE(node.GetAll().ok());
  }
}

TEST(Reclaimer, TombstonesOfManyRemovalsDoNotPileUpBehindBlocksThatStay) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 12), options, 11);
  ASSERT_TRUE(node.Start().ok());
  // Two regions full of blocks that stay valued: older than every tombstone that follows.
  for (uint64_t n = 0; n < 50; ++n) ASSERT_TRUE(node.Put(n, 1, 10'000).ok());
  const uint64_t tombstones = 20'000;  // five times what the device holds
  for (uint64_t i = 0; i < tombstones; ++i) {
    ASSERT_TRUE(node.Remove(1'000 + i).ok()) << i << " of " << tombstones;
  }
  for (uint64_t n = 0; n < 50; ++n) EXPECT_TRUE(node.host.index.contains(n)) << n;
  EXPECT_TRUE(node.GetAll().ok());
  EXPECT_EQ(node.host.dropped_valued, 0u);
  const uint64_t removed_bytes = tombstones * kRecordAlign;
  EXPECT_LT(node.tier->stats().bytes_reinserted, 12 * removed_bytes);
}

TEST(Reclaimer, RemovedBlocksStayAwayWhenTheirTombstonesAreRetired) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 12);
  std::set<uint64_t> removed;
  {
    TierNode node(contents, options, 12);
    ASSERT_TRUE(node.Start().ok());
    std::unique_ptr<Random> random = MakeSeededRandom(12);
    for (uint64_t i = 0; i < 6'000; ++i) {
      const uint64_t n = random->Below(150);
      if (random->Below(8) == 0) {
        ASSERT_TRUE(node.Put(n, i, 4'000 + random->Below(8'000)).ok());
        removed.erase(n);
      } else {
        ASSERT_TRUE(node.Remove(n).ok());
        removed.insert(n);
      }
    }
    EXPECT_GT(node.tier->stats().regions_reclaimed, 10u);
    Kill(&node);
  }
  TierNode node(contents, options, 13);
  ASSERT_TRUE(node.Start().ok());
  for (const uint64_t n : removed) EXPECT_FALSE(node.host.index.contains(n)) << n << " is back";
  EXPECT_TRUE(node.GetAll().ok());
}

}  // namespace
}  // namespace incipit
