#include "cache/nvme/nvme_tier.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/runtime/uring_disk.h"
#include "tests/cache/nvme/tier_fixture.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using testing::MakeContents;
using testing::MakeTestRecord;
using testing::SmallOptions;
using testing::TestIdentity;
using testing::TestRecord;
using testing::TierNode;

TEST(NvmeTier, RecordsOfManySizesComeBackWhole) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 12), options, 1);
  ASSERT_TRUE(node.Start().ok());
  const uint64_t sizes[] = {1,    2,    100,  351,    352,    353,    511,     512,
                            4095, 4096, 4097, 32'768, 65'536, 65'537, 120'000, 200'000};
  uint64_t n = 0;
  for (const uint64_t size : sizes) {
    absl::Status put = node.Put(n, 7, size, size > 100 ? 5 : 1);
    ASSERT_TRUE(put.ok()) << size << ": " << put;
    ++n;
  }
  for (uint64_t i = 0; i < n; ++i) {
    uint64_t version = 0;
    absl::Status got = node.Get(i, &version);
    EXPECT_TRUE(got.ok()) << sizes[i] << ": " << got;
    EXPECT_EQ(version, 7u);
  }
  EXPECT_TRUE(node.Exit().ok());
}

TEST(NvmeTier, RangesOfAPayloadComeBackExactly) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 8), options, 2);
  ASSERT_TRUE(node.Start().ok());
  ASSERT_TRUE(node.Put(1, 1, 3'000).ok());  // so that the next one begins inside a page
  ASSERT_TRUE(node.Put(2, 1, 190'000, 19).ok());
  const auto block = node.host.index.at(2);
  const std::vector<uint8_t> identity = TestIdentity(2);
  for (const auto& [offset, length] : std::vector<std::pair<uint64_t, uint64_t>>{{0, 0},
                                                                                 {0, 1},
                                                                                 {0, 10'000},
                                                                                 {10'000, 10'000},
                                                                                 {120'000, 10'000},
                                                                                 {180'000, 10'000},
                                                                                 {189'999, 1},
                                                                                 {0, 190'000}}) {
    absl::StatusOr<StagedRead> read =
        node.loop.Run(node.tier->Read(block.at, block.header_bytes, identity, offset, length, kForeverNs));
    ASSERT_TRUE(read.ok()) << offset << "+" << length << ": " << read.status();
    EXPECT_TRUE(TierNode::CheckBytes(2, *read, offset, length, nullptr).ok()) << offset << "+" << length;
  }
}

TEST(NvmeTier, RangesOutsideARecordAreRefused) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 8), options, 3);
  ASSERT_TRUE(node.Start().ok());
  ASSERT_TRUE(node.Put(1, 1, 5'000).ok());
  const auto block = node.host.index.at(1);
  const std::vector<uint8_t> identity = TestIdentity(1);
  const auto read = [&](DiskLocation at, uint32_t header_bytes, uint64_t offset, uint64_t length) {
    return node.loop.Run(node.tier->Read(at, header_bytes, identity, offset, length, kForeverNs)).status().code();
  };
  const DiskLocation at = block.at;
  EXPECT_EQ(read(at, block.header_bytes, 4'999, 2), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read(at, block.header_bytes, UINT64_MAX, 2), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read(at, block.header_bytes, 2, UINT64_MAX), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read(at, 0, 0, 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read(at, UINT32_MAX, 0, 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read({at.region, UINT32_MAX - 511}, block.header_bytes, 0, 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read({at.region, at.offset + 1}, block.header_bytes, 0, 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read({7'000, at.offset}, block.header_bytes, 0, 1), absl::StatusCode::kDataLoss);
  EXPECT_EQ(read({at.region, at.offset + 512}, block.header_bytes, 0, 1), absl::StatusCode::kDataLoss);
}

TEST(NvmeTier, AnotherIdentityAtTheLocationIsDataLoss) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 8), options, 4);
  ASSERT_TRUE(node.Start().ok());
  ASSERT_TRUE(node.Put(1, 1, 5'000).ok());
  const auto block = node.host.index.at(1);
  const std::vector<uint8_t> other = TestIdentity(2);
  absl::StatusOr<StagedRead> read =
      node.loop.Run(node.tier->Read(block.at, block.header_bytes, other, 0, 5'000, kForeverNs));
  EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(node.tier->stats().damaged_records, 1u);
}

TEST(NvmeTier, RecordsTooLargeForARegionAreRefused) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 8), options, 5);
  ASSERT_TRUE(node.Start().ok());
  EXPECT_FALSE(node.tier->Fits(options.region_bytes));
  EXPECT_EQ(node.Put(1, 1, options.region_bytes).code(), absl::StatusCode::kInvalidArgument);
}

TEST(NvmeTier, TheLargestRecordsFitTheirRegions) {
  NvmeOptions options = SmallOptions();
  options.region_bytes = 68 << 20;
  options.write_buffer_bytes = 4 << 20;
  options.read_slot_bytes = 1 << 20;
  options.read_slots = 4;
  TierNode node(MakeContents(options, 7), options, 6);
  ASSERT_TRUE(node.Start().ok());
  ASSERT_TRUE(node.tier->Fits(kMaxPayloadBytes + kMaxRecordHeaderBytes));
  ASSERT_TRUE(node.Put(1, 1, 64 << 20, 1024).ok());
  ASSERT_TRUE(node.Put(2, 1, 64 << 20, 61).ok());
  ASSERT_TRUE(node.Get(1).ok());
  ASSERT_TRUE(node.Get(2).ok());
}

TEST(NvmeTier, ManyAppendsAtOnceAllEnd) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 20), options, 7);
  ASSERT_TRUE(node.Start().ok());
  TaskScope scope(&node.loop);
  std::vector<absl::Status> results(100, absl::UnknownError("never ended"));
  const auto put = [](TierNode* to, uint64_t n, absl::Status* result) -> Task<void> {
    Task<absl::Status> putting = to->PutTask(n, 3, 100 + n * 301, 1);
    *result = co_await putting;
  };
  for (uint64_t n = 0; n < 100; ++n) scope.Spawn(put(&node, n, &results[n]));
  node.loop.RunUntilIdle();
  for (uint64_t n = 0; n < 100; ++n) {
    EXPECT_TRUE(results[n].ok()) << n << ": " << results[n];
    EXPECT_TRUE(node.Get(n).ok()) << n;
  }
}

TEST(NvmeTier, ALonelyRecordIsWrittenWithoutWaitingForMore) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 8), options, 8);
  ASSERT_TRUE(node.Start().ok());
  for (uint64_t n = 0; n < 20; ++n) ASSERT_TRUE(node.Put(n, 1, 700).ok());  // each rewrites the page of the one before
  EXPECT_TRUE(node.GetAll().ok());
  EXPECT_EQ(node.tier->stats().regions_open, 1u);
}

TEST(NvmeTier, ReadsWaitForSlotsAndGiveUpAtTheirDeadline) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 12), options, 9);
  ASSERT_TRUE(node.Start().ok());
  ASSERT_TRUE(node.Put(1, 1, 200'000).ok());
  const auto block = node.host.index.at(1);
  const std::vector<uint8_t> identity = TestIdentity(1);
  std::vector<StagedRead> held;
  while (true) {
    absl::StatusOr<StagedRead> read = node.loop.Run(
        node.tier->Read(block.at, block.header_bytes, identity, 0, 200'000, node.loop.NowNs() + 10'000'000));
    if (!read.ok()) {
      EXPECT_EQ(read.status().code(), absl::StatusCode::kResourceExhausted);
      break;
    }
    held.push_back(*std::move(read));
    ASSERT_LT(held.size(), 16u);
  }
  ASSERT_FALSE(held.empty());
  held.clear();
  EXPECT_TRUE(node.Get(1).ok());
}

TEST(NvmeTier, AccountingFollowsReleaseAndSpare) {
  const NvmeOptions options = SmallOptions();
  TierNode node(MakeContents(options, 8), options, 10);
  ASSERT_TRUE(node.Start().ok());
  EXPECT_EQ(node.tier->stats().valued_bytes, 0u);
  ASSERT_TRUE(node.Put(1, 1, 10'000).ok());
  const uint64_t one = AlignUp(node.host.index.at(1).record_bytes(), kRecordAlign);
  EXPECT_EQ(node.tier->stats().valued_bytes, one);
  node.host.SetSpare(1, true);
  EXPECT_EQ(node.tier->stats().valued_bytes, 0u);
  EXPECT_EQ(node.tier->stats().spare_bytes, one);
  node.host.SetSpare(1, false);
  EXPECT_EQ(node.tier->stats().valued_bytes, one);
  node.host.Forget(1);
  EXPECT_EQ(node.tier->stats().valued_bytes, 0u);
  EXPECT_EQ(node.tier->stats().spare_bytes, 0u);
}

TEST(NvmeTier, WrongOptionsAreNamed) {
  NvmeOptions options = SmallOptions();
  options.region_bytes = 100;
  TierNode small(std::make_shared<MemDiskContents>(8 << 20), options, 11);
  EXPECT_THAT(small.Open().message(), HasSubstr("region_bytes is 100"));
  options = SmallOptions();
  TierNode tight(MakeContents(options, 3), options, 12);
  EXPECT_THAT(tight.Open().message(), HasSubstr("at least 4 are needed"));
  options.write_buffer_bytes = 5'000;
  TierNode buffers(MakeContents(options, 8), options, 13);
  EXPECT_THAT(buffers.Open().message(), HasSubstr("write_buffer_bytes is 5000"));
}

// The tier once over the real thing: fill, reclaim, restart, read.
TEST(NvmeTier, WorksOnARealFile) {
  std::string folder = INCIPIT_BINARY_DIR "/nvme_tier_test_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  NvmeOptions options;
  options.region_bytes = 2 << 20;
  options.write_buffer_bytes = 256 << 10;
  options.read_slot_bytes = 128 << 10;
  options.read_slots = 16;
  std::unique_ptr<Random> random = MakeSystemRandom();
  std::map<uint64_t, uint64_t> sizes;
  for (int start = 0; start < 2; ++start) {
    std::unique_ptr<UringLoop> loop = *UringLoop::Create({});
    absl::StatusOr<std::unique_ptr<UringDisk>> disk =
        UringDisk::Open(loop.get(), {.path = folder + "/regions", .bytes = (1 << 20) + 12 * options.region_bytes});
    ASSERT_TRUE(disk.ok()) << disk.status();
    testing::ModelHost host;
    absl::StatusOr<std::unique_ptr<NvmeTier>> opened =
        loop->RunTask(NvmeTier::Open(loop.get(), disk->get(), random.get(), &host, options));
    ASSERT_TRUE(opened.ok()) << opened.status();
    NvmeTier* tier = opened->get();
    host.set_tier(tier);
    // Registered memory must stay mapped as long as its loop: the second start has a loop of its own.
    ASSERT_TRUE(loop->RegisterBuffers(tier->IoMemory()).ok());
    ASSERT_TRUE(loop->RunTask(tier->Recover()).ok());
    for (const auto& [n, bytes] : sizes) EXPECT_TRUE(host.index.contains(n)) << n;
    for (uint64_t i = 0; start == 0 && i < 300; ++i) {
      const uint64_t n = i % 90, bytes = 1'000 + (i * 7'919) % 150'000;
      testing::TestRecord record = testing::MakeTestRecord(n, 1, bytes, 4);
      std::vector<iovec> pieces = record.Pieces();
      absl::StatusOr<DiskLocation> at = loop->RunTask(tier->Append(record.entry, pieces));
      ASSERT_TRUE(at.ok()) << at.status();
      host.Insert(n, record, *at);
      sizes[n] = bytes;
    }
    for (const auto& [n, bytes] : sizes) {
      const auto block = host.index.at(n);
      const std::vector<uint8_t> identity = testing::TestIdentity(n);
      absl::StatusOr<StagedRead> read =
          loop->RunTask(tier->Read(block.at, block.header_bytes, identity, 0, bytes, kForeverNs));
      ASSERT_TRUE(read.ok()) << "start " << start << " block " << n << ": " << read.status();
      std::vector<uint8_t> got;
      for (const iovec& piece : read->payload()) {
        const auto* data = static_cast<const uint8_t*>(piece.iov_base);
        got.insert(got.end(), data, data + piece.iov_len);
      }
      EXPECT_EQ(got, testing::TestPayload(n, 1, bytes)) << n;
    }
    if (start == 0) {
      EXPECT_GT(tier->stats().regions_reclaimed, 0u);
    }
    ASSERT_TRUE(loop->RunTask(tier->Shutdown(kForeverNs)).ok());
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace incipit
