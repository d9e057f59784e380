// The tier on a device that fails, is full, hangs, and comes back.
#include "cache/nvme/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cache/nvme/tier_fixture.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using testing::MakeContents;
using testing::SmallOptions;
using testing::TestIdentity;
using testing::TierNode;

constexpr int64_t kMs = 1'000'000;

// A task under way, and what came of it.
struct Started {
  absl::Status status = absl::UnknownError("not ended");
  bool ended = false;
  int64_t ended_ns = 0;
};

Task<void> Watch(TierNode* node, Task<absl::Status> task, Started* started) {
  started->status = co_await task;
  started->ended = true;
  started->ended_ns = node->loop.NowNs();
}

Task<absl::Status> ReadWithDeadline(TierNode* node, uint64_t n, int64_t deadline_ns) {
  const auto block = node->host.index.at(n);
  const std::vector<uint8_t> identity = TestIdentity(n);
  Task<absl::StatusOr<StagedRead>> reading =
      node->tier->Read(block.at, block.header_bytes, identity, 0, block.payload_bytes, deadline_ns);
  absl::StatusOr<StagedRead> read = co_await reading;
  co_return read.status();
}

class DeviceTest : public ::testing::Test {
 protected:
  DeviceTest() : node(MakeContents(SmallOptions(), 10), SmallOptions(), 1), scope(&node.loop) {}
  void SetUp() override {
    ASSERT_TRUE(node.Start().ok());
    for (uint64_t n = 0; n < 40; ++n) ASSERT_TRUE(node.Put(n, 1, 10'000).ok());
  }
  void TearDown() override {
    node.faulty.Heal();
    node.loop.RunUntilIdle();
  }
  void Spawn(Task<absl::Status> task, Started* started) { scope.Spawn(Watch(&node, std::move(task), started)); }

  TierNode node;
  TaskScope scope;
};

TEST_F(DeviceTest, OneFailedReadIsOneMiss) {
  node.faulty.Plan(FaultSite::kReadError, 0, 1);
  EXPECT_EQ(node.Get(3).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(node.tier->stats().read_errors, 1u);
  EXPECT_THAT(node.tier->stats().last_error, HasSubstr("read at "));
  EXPECT_EQ(node.tier->stats().state, NvmeState::kServing);
  EXPECT_TRUE(node.Get(3).ok());
}

TEST_F(DeviceTest, AFailedWriteIsNotStoredAndCostsNothingElse) {
  for (const FaultSite site : {FaultSite::kWriteError, FaultSite::kTornWrite}) {
    node.faulty.Plan(site, 0, 1);
    EXPECT_EQ(node.Put(100, 1, 10'000).code(), absl::StatusCode::kUnavailable);
    EXPECT_FALSE(node.host.index.contains(100));
    EXPECT_TRUE(node.GetAll().ok());
    EXPECT_TRUE(node.Put(101, 1, 10'000).ok());
  }
  EXPECT_EQ(node.tier->stats().write_errors, 2u);
  EXPECT_THAT(node.tier->stats().last_error, HasSubstr("write at "));
  EXPECT_TRUE(node.GetAll().ok());
}

TEST_F(DeviceTest, RecordsBeforeAFailedWriteSurviveARestart) {
  node.faulty.Plan(FaultSite::kWriteError, 0, 1);
  EXPECT_FALSE(node.Put(100, 1, 10'000).ok());
  EXPECT_TRUE(node.Put(101, 1, 10'000).ok());
  const auto before = node.host.index;
  ASSERT_TRUE(node.Exit().ok());
  TierNode after(node.disk.contents(), SmallOptions(), 2);
  ASSERT_TRUE(after.Start().ok());
  for (const auto& [n, block] : before) EXPECT_TRUE(after.host.index.contains(n)) << n;
  EXPECT_FALSE(after.host.index.contains(100));
  EXPECT_TRUE(after.GetAll().ok());
}

TEST_F(DeviceTest, AFullDeviceIsResourceExhausted) {
  node.faulty.Plan(FaultSite::kNoSpace, 0, 1);
  EXPECT_EQ(node.Put(100, 1, 10'000).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(node.tier->stats().last_error, HasSubstr("no space"));
  EXPECT_TRUE(node.Put(100, 1, 10'000).ok());
  EXPECT_TRUE(node.GetAll().ok());
}

TEST_F(DeviceTest, AFailedFlushIsReportedAndSealingIsMadeUpForByAScan) {
  node.faulty.Plan(FaultSite::kFlushError, 0, 3);
  EXPECT_EQ(node.Flush().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(node.tier->stats().flush_errors, 1u);
  for (uint64_t n = 100; n < 130; ++n) node.Put(n, 1, 10'000).IgnoreError();  // a region is sealed meanwhile
  EXPECT_EQ(node.faulty.fired(FaultSite::kFlushError), 3u);
  const auto before = node.host.index;
  EXPECT_TRUE(node.GetAll().ok());
  ASSERT_TRUE(node.Exit().ok());
  TierNode after(node.disk.contents(), SmallOptions(), 2);
  ASSERT_TRUE(after.Start().ok());
  for (const auto& [n, block] : before) EXPECT_TRUE(after.host.index.contains(n)) << n;
  EXPECT_TRUE(after.GetAll().ok());
}

TEST_F(DeviceTest, ErrorsInARowTakeItOutOfServiceUntilAProbeWorks) {
  node.faulty.Plan(FaultSite::kReadError, 0);
  node.faulty.Plan(FaultSite::kWriteError, 0);
  for (uint32_t i = 0; i < SmallOptions().suspend_after_errors; ++i) EXPECT_FALSE(node.Get(i).ok());
  EXPECT_EQ(node.tier->stats().state, NvmeState::kSuspended);
  EXPECT_EQ(node.tier->stats().suspensions, 1u);
  const uint64_t operations = node.faulty.operations();
  absl::Status refused = node.Get(3);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr("out of service"));
  EXPECT_EQ(node.Put(100, 1, 10'000).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(node.faulty.operations(), operations);  // refused at once, without asking the device
  node.Pass(5'500);
  EXPECT_EQ(node.tier->stats().state, NvmeState::kSuspended);
  EXPECT_EQ(node.faulty.operations(), operations + 5);  // a probe a second
  node.faulty.Heal();
  node.Pass(1'100);
  EXPECT_EQ(node.tier->stats().state, NvmeState::kServing);
  EXPECT_TRUE(node.GetAll().ok());
  EXPECT_TRUE(node.Put(100, 1, 10'000).ok());
}

TEST_F(DeviceTest, AHangingReadEndsAtItsDeadlineAndKeepsItsMemory) {
  node.faulty.Plan(FaultSite::kHang, 0);
  Started read;
  const int64_t deadline_ns = node.loop.NowNs() + 50 * kMs;
  Spawn(ReadWithDeadline(&node, 3, deadline_ns), &read);
  node.Pass(60);
  EXPECT_TRUE(read.ended);
  EXPECT_EQ(read.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(read.ended_ns, deadline_ns);
  node.Pass(2'000);
  EXPECT_EQ(node.tier->stats().timeouts, 1u);  // noticed although nobody waits any more
  // Its slot is still the device's: reads of all other slots work, one more does not.
  node.faulty.Heal();
  node.loop.RunUntilIdle();
  EXPECT_TRUE(node.GetAll().ok());
}

TEST_F(DeviceTest, AHangingDeviceIsTakenOutOfServiceAndComesBack) {
  node.faulty.Plan(FaultSite::kHang, 0);
  Started put, get, blocked;
  Spawn(node.PutTask(100, 1, 200'000, 1), &put);
  Spawn(node.PutTask(101, 1, 200'000, 1), &blocked);  // more than the write buffers hold
  Spawn(ReadWithDeadline(&node, 3, kForeverNs), &get);
  node.Pass(2'100);
  EXPECT_EQ(get.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(put.ended);
  node.Pass(20'000);
  EXPECT_TRUE(put.ended);
  EXPECT_EQ(put.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(blocked.ended);
  EXPECT_EQ(blocked.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(node.tier->stats().state, NvmeState::kSuspended);
  EXPECT_THAT(node.tier->stats().last_error, HasSubstr("no answer for"));
  EXPECT_EQ(node.loop.Run(node.tier->Flush()).code(), absl::StatusCode::kUnavailable);
  node.faulty.Heal();
  node.Pass(3'000);
  EXPECT_EQ(node.tier->stats().state, NvmeState::kServing);
  EXPECT_TRUE(node.GetAll().ok());
  for (uint64_t n = 200; n < 300; ++n) ASSERT_TRUE(node.Put(n, 1, 10'000).ok());
  EXPECT_TRUE(node.GetAll().ok());
}

TEST_F(DeviceTest, ShutdownOfAHangingDeviceEndsAtItsDeadline) {
  node.faulty.Plan(FaultSite::kHang, 0);
  Started put;
  Spawn(node.PutTask(100, 1, 10'000, 1), &put);
  node.Pass(10);
  const int64_t deadline_ns = node.loop.NowNs() + 300 * kMs;
  absl::Status status = node.loop.Run(node.tier->Shutdown(deadline_ns));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(node.loop.NowNs(), deadline_ns);
  node.faulty.Heal();
  EXPECT_TRUE(node.loop.Run(node.tier->Shutdown(kForeverNs)).ok());
}

TEST_F(DeviceTest, AWriteThatLandsLateNeverHitsANewLifeOfItsRegion) {
  node.faulty.Plan(FaultSite::kHang, 0, 1);
  Started put;
  Spawn(node.PutTask(100, 1, 10'000, 1), &put);
  node.Pass(11'000);
  EXPECT_EQ(put.status.code(), absl::StatusCode::kUnavailable);
  // The rest of the device works: all other regions are used over and over.
  std::unique_ptr<Random> random = MakeSeededRandom(4);
  for (uint64_t i = 0; i < 400; ++i) ASSERT_TRUE(node.Put(random->Below(60), i + 2, 10'000).ok()) << i;
  EXPECT_GT(node.tier->stats().regions_reclaimed, 5u);
  node.faulty.Unhang();
  node.Pass(100);
  EXPECT_TRUE(node.GetAll().ok());
  EXPECT_TRUE(node.Exit().ok());
  TierNode after(node.disk.contents(), SmallOptions(), 2);
  ASSERT_TRUE(after.Start().ok());
  EXPECT_FALSE(after.host.index.contains(100));
  EXPECT_TRUE(after.GetAll().ok());
}

TEST(Device, RandomFaultsOfAllKindsGiveMissesNeverWrongBytes) {
  const NvmeOptions options = SmallOptions();
  constexpr size_t kRandomSites = 6;
  uint64_t hits = 0, misses = 0;
  std::array<uint64_t, kRandomSites> fired{};
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::shared_ptr<MemDiskContents> contents = MakeContents(options, 9);
    for (uint64_t round = 0; round < 3; ++round) {
      TierNode node(contents, options, seed * 100 + round);
      ASSERT_TRUE(node.Start().ok());
      for (const FaultSite site : {FaultSite::kReadError, FaultSite::kWriteError, FaultSite::kFlushError,
                                   FaultSite::kNoSpace, FaultSite::kTornWrite, FaultSite::kFlippedBit}) {
        node.faulty.SetProbability(site, 0.02);
      }
      std::unique_ptr<Random> random = MakeSeededRandom(seed * 10 + round);
      for (uint64_t i = 0; i < 200; ++i) {
        node.Put(random->Below(80), i + 1, 100 + random->Below(20'000), 3).IgnoreError();
        absl::Status got = node.Get(random->Below(80));
        ASSERT_NE(got.code(), absl::StatusCode::kInternal) << got;
        ++(got.ok() ? hits : misses);
        if (node.tier->stats().state == NvmeState::kSuspended) node.Pass(1'500);
      }
      node.faulty.Heal();
      node.Pass(2'000);
      for (uint64_t n = 0; n < 80; ++n) {
        absl::Status got = node.Get(n);
        ASSERT_TRUE(got.ok() || absl::IsNotFound(got)) << n << ": " << got;
      }
      for (size_t site = 0; site < kRandomSites; ++site) fired[site] += node.faulty.fired(static_cast<FaultSite>(site));
    }
  }
  EXPECT_GT(hits, 500u);
  EXPECT_GT(misses, 100u);
  for (size_t site = 0; site < kRandomSites; ++site) {
    EXPECT_GT(fired[site], 0u) << FaultSiteName(static_cast<FaultSite>(site));
  }
}

}  // namespace
}  // namespace incipit
