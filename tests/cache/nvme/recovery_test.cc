#include "cache/nvme/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cache/nvme/tier_fixture.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using testing::MakeContents;
using testing::ModelHost;
using testing::SmallOptions;
using testing::TierNode;

uint64_t RegionOffset(uint32_t region) { return kFirstRegionOffset + region * SmallOptions().region_bytes; }

// Every block of `before` is found by `node` and reads back.
void ExpectAllFound(TierNode* node, const std::map<uint64_t, ModelHost::Block>& before) {
  for (const auto& [n, block] : before) EXPECT_TRUE(node->host.index.contains(n)) << n;
  absl::Status got = node->GetAll();
  EXPECT_TRUE(got.ok()) << got;
}

TEST(Recovery, CleanShutdownLosesNothing) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 12);
  std::map<uint64_t, ModelHost::Block> before;
  {
    TierNode node(contents, options, 1);
    ASSERT_TRUE(node.Start().ok());
    for (uint64_t n = 0; n < 120; ++n) ASSERT_TRUE(node.Put(n, n + 1, 500 + n * 90).ok());
    before = node.host.index;
    ASSERT_TRUE(node.Exit().ok());
  }
  TierNode node(contents, options, 2);
  ASSERT_TRUE(node.Start().ok());
  EXPECT_TRUE(node.host.recovery_done);
  EXPECT_EQ(node.host.index.size(), before.size());
  ExpectAllFound(&node, before);
  uint64_t bytes = 0;
  for (const auto& [n, block] : node.host.index) bytes += AlignUp(block.record_bytes(), kRecordAlign);
  EXPECT_EQ(node.tier->stats().valued_bytes, bytes);
  EXPECT_EQ(node.tier->stats().damaged_regions, 0u);
}

TEST(Recovery, TheOpenRegionIsFoundRecordByRecordAfterAKill) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 12);
  std::map<uint64_t, ModelHost::Block> before;
  TierNode killed(contents, options, 1);
  ASSERT_TRUE(killed.Start().ok());
  for (uint64_t n = 0; n < 30; ++n) ASSERT_TRUE(killed.Put(n, 1, 700 + n).ok());  // one region, not sealed
  ASSERT_EQ(killed.tier->stats().regions_sealed, 0u);
  killed.faulty.CrashAtOperation(1, [] {});  // what was written stays: a kill, not a loss of power
  TierNode node(contents, options, 2);
  ASSERT_TRUE(node.Start().ok());
  ExpectAllFound(&node, killed.host.index);
  EXPECT_EQ(node.host.index.size(), 30u);
}

TEST(Recovery, RecordsOfAnEarlierLifeOfTheRegionStayGone) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 4);
  std::set<uint64_t> removed;
  for (uint64_t round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    TierNode node(contents, options, round + 1);
    ASSERT_TRUE(node.Start().ok());
    // Records of one size, so that those of one life begin exactly where those of another did.
    for (const auto& [n, block] : node.host.index) EXPECT_FALSE(removed.contains(n)) << n;
    ASSERT_TRUE(node.GetAll().ok());
    for (uint64_t i = 0; i < 12; ++i) {
      const uint64_t n = round * 100 + i;
      ASSERT_TRUE(node.Put(n, 1, 10'000).ok());
      if (i % 3 != 0) continue;
      ASSERT_TRUE(node.Remove(n).ok());
      removed.insert(n);
    }
    ASSERT_TRUE(node.Flush().ok());
    node.faulty.CrashAtOperation(1, [&] { node.disk.Crash(node.random.get()); });
  }
}

TEST(Recovery, RemovedBlocksStayRemovedWhileTheirRegionsAreReclaimed) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 8);
  std::set<uint64_t> removed;
  std::unique_ptr<Random> random = MakeSeededRandom(5);
  for (uint64_t round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    TierNode node(contents, options, round + 1);
    ASSERT_TRUE(node.Start().ok());
    for (const auto& [n, block] : node.host.index) ASSERT_FALSE(removed.contains(n)) << n;
    for (uint64_t i = 0; i < 120; ++i) {
      const uint64_t n = random->Below(150);
      ASSERT_TRUE(node.Put(n, round * 1'000 + i, 500 + random->Below(12'000)).ok());
      removed.erase(n);
      const uint64_t gone = random->Below(150);
      if (i % 4 == 0 && node.host.index.contains(gone)) {
        ASSERT_TRUE(node.Remove(gone).ok());
        removed.insert(gone);
      }
    }
    ASSERT_TRUE(node.GetAll().ok());
    ASSERT_TRUE(node.Exit().ok());
  }
}

TEST(Recovery, ForeignRegionsAreCountedAndUsed) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 8);
  {
    TierNode node(contents, options, 1);
    ASSERT_TRUE(node.Start().ok());
    for (uint64_t n = 0; n < 40; ++n) ASSERT_TRUE(node.Put(n, 1, 10'000).ok());
  }
  RegionHeader foreign;
  foreign.store_id[0] = 9;
  foreign.region = 1;
  foreign.generation = 5;
  contents->Overwrite(RegionOffset(1), foreign.Encode());
  TierNode node(contents, options, 2);
  ASSERT_TRUE(node.Start().ok());
  EXPECT_EQ(node.tier->stats().foreign_regions, 1u);
  EXPECT_TRUE(node.GetAll().ok());
  for (uint64_t n = 100; n < 300; ++n) ASSERT_TRUE(node.Put(n, 1, 10'000).ok());
  EXPECT_TRUE(node.GetAll().ok());
}

TEST(Recovery, UnknownVersionOfARegionIsRefusedAndNothingWritten) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 8);
  {
    TierNode node(contents, options, 1);
    ASSERT_TRUE(node.Start().ok());
    ASSERT_TRUE(node.Put(1, 1, 10'000).ok());
  }
  std::vector<uint8_t> page(kDiskPageBytes);
  contents->Read(RegionOffset(0), page);
  page[4] = 99;
  std::fill(page.begin() + 8, page.begin() + 16, 0);
  const uint64_t checksum = Xxh3Of(page);
  std::memcpy(page.data() + 8, &checksum, sizeof(checksum));
  contents->Overwrite(RegionOffset(0), page);
  TierNode node(contents, options, 2);
  absl::Status status = node.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("version is 99"));
  EXPECT_EQ(node.Put(2, 1, 100).code(), absl::StatusCode::kUnavailable);
  std::vector<uint8_t> after(kDiskPageBytes);
  contents->Read(RegionOffset(0), after);
  EXPECT_EQ(page, after);
}

TEST(Recovery, AppendsAndReadsAreServedMeanwhile) {
  NvmeOptions options = SmallOptions();
  options.recovery_depth = 1;
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 32);
  {
    TierNode node(contents, options, 1);
    ASSERT_TRUE(node.Start().ok());
    for (uint64_t n = 0; n < 500; ++n) ASSERT_TRUE(node.Put(n, 1, 10'000).ok());
  }
  TierNode node(contents, options, 2, {.latency_ns = 1'000'000});
  ASSERT_TRUE(node.Open().ok());
  TaskScope scope(&node.loop);
  const auto recover = [](TierNode* on) -> Task<void> {
    Task<absl::Status> recovering = on->tier->Recover();
    co_await recovering;
  };
  scope.Spawn(recover(&node));
  EXPECT_TRUE(node.Put(499, 2, 10'000).ok());  // newer than the one that recovery finds
  EXPECT_TRUE(node.Put(900, 1, 10'000).ok());
  EXPECT_FALSE(node.host.recovery_done);
  EXPECT_TRUE(node.Get(900).ok());
  node.loop.RunUntilIdle();
  EXPECT_TRUE(node.host.recovery_done);
  uint64_t version = 0;
  EXPECT_TRUE(node.Get(499, &version).ok());
  EXPECT_EQ(version, 2u);
  EXPECT_EQ(node.host.index.size(), 501u);
  EXPECT_TRUE(node.GetAll().ok());
}

TEST(Recovery, ADeviceOutOfServiceDelaysItButLosesNoRegion) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 12);
  std::map<uint64_t, ModelHost::Block> before;
  {
    TierNode node(contents, options, 1);
    ASSERT_TRUE(node.Start().ok());
    for (uint64_t n = 0; n < 100; ++n) ASSERT_TRUE(node.Put(n, 1, 10'000).ok());
    before = node.host.index;
  }
  TierNode node(contents, options, 2);
  ASSERT_TRUE(node.Open().ok());
  node.faulty.Plan(FaultSite::kReadError, 0, 40);
  ASSERT_TRUE(node.loop.Run(node.tier->Recover()).ok());
  EXPECT_GE(node.tier->stats().suspensions, 1u);
  EXPECT_EQ(node.host.index.size(), before.size());
  ExpectAllFound(&node, before);
}

TEST(Recovery, ABitFlipInAnyPageOfMetadataCostsAtMostItsRegion) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 8);
  std::map<uint64_t, ModelHost::Block> before;
  {
    TierNode node(contents, options, 1);
    ASSERT_TRUE(node.Start().ok());
    for (uint64_t n = 0; n < 90; ++n) ASSERT_TRUE(node.Put(n, n + 3, 10'000, 4).ok());
    before = node.host.index;
    ASSERT_TRUE(node.Exit().ok());
  }
  std::vector<uint64_t> pages = {0, kDiskPageBytes};
  for (uint32_t region = 0; region < 8; ++region) {
    pages.push_back(RegionOffset(region));
    pages.push_back(RegionOffset(region + 1) - kDiskPageBytes);
    pages.push_back(RegionOffset(region + 1) - 2 * kDiskPageBytes);
  }
  std::unique_ptr<Random> random = MakeSeededRandom(17);
  for (const uint64_t page : pages) {
    for (int i = 0; i < 12; ++i) {
      const uint64_t byte = page + (i < 8 ? random->Below(96) : random->Below(kDiskPageBytes));
      const int bit = static_cast<int>(random->Below(8));
      SCOPED_TRACE(absl::StrCat("byte ", byte, " bit ", bit));
      auto copy = std::make_shared<MemDiskContents>(*contents);
      copy->FlipBit(byte, bit);
      TierNode node(copy, options, 2);
      ASSERT_TRUE(node.Start().ok());
      const uint64_t damaged = node.tier->stats().damaged_regions;
      for (const auto& [n, block] : before) {
        const bool lost_region = damaged == 1 && RegionOffset(block.at.region) == page;
        EXPECT_EQ(node.host.index.contains(n), !lost_region) << n;
      }
      absl::Status got = node.GetAll();
      EXPECT_TRUE(got.ok()) << got;
    }
  }
}

TEST(Recovery, BitFlipsInRecordsAreMissesNeverWrongBytes) {
  const NvmeOptions options = SmallOptions();
  std::shared_ptr<MemDiskContents> contents = MakeContents(options, 6);
  TierNode node(contents, options, 1);
  ASSERT_TRUE(node.Start().ok());
  for (uint64_t n = 0; n < 10; ++n) ASSERT_TRUE(node.Put(n, 1, 3'000, 3).ok());
  const auto block = node.host.index.at(4);
  const uint64_t start = RegionOffset(block.at.region) + block.at.offset;
  uint64_t missed = 0;
  for (uint64_t bit = 0; bit < block.record_bytes() * 8; bit += 7) {
    contents->FlipBit(start + bit / 8, static_cast<int>(bit % 8));
    absl::Status got = node.Get(4);
    ASSERT_EQ(got.code(), absl::StatusCode::kDataLoss) << bit << ": " << got;
    ++missed;
    contents->FlipBit(start + bit / 8, static_cast<int>(bit % 8));
  }
  EXPECT_GT(missed, 3'000u);
  EXPECT_TRUE(node.GetAll().ok());
}

}  // namespace
}  // namespace incipit
