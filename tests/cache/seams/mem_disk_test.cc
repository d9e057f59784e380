#include "cache/seams/mem_disk.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

#include "cache/format/region.h"
#include "cache/runtime/sim_loop.h"

namespace incipit {
namespace {

struct alignas(kDiskPageBytes) Page {
  std::array<uint8_t, kDiskPageBytes> bytes{};
  explicit Page(uint8_t value = 0) { bytes.fill(value); }
};

class MemDiskTest : public testing::Test {
 protected:
  absl::Status Write(MemDisk* disk, uint64_t page, const Page& from) {
    return loop_.Run(disk->Write(page * kDiskPageBytes, from.bytes));
  }
  uint8_t ReadFirstByte(MemDisk* disk, uint64_t page) {
    Page into(0xee);
    EXPECT_TRUE(loop_.Run(disk->Read(page * kDiskPageBytes, into.bytes)).ok());
    return into.bytes[0];
  }

  SimLoop loop_;
  std::shared_ptr<MemDiskContents> contents_ = std::make_shared<MemDiskContents>(uint64_t{1} << 40);
};

TEST_F(MemDiskTest, UnwrittenReadsAsZeroAndWrittenReadsBack) {
  MemDisk disk(&loop_, contents_);
  EXPECT_EQ(ReadFirstByte(&disk, 5), 0);
  EXPECT_TRUE(Write(&disk, 5, Page(7)).ok());
  EXPECT_EQ(ReadFirstByte(&disk, 5), 7);
}

TEST_F(MemDiskTest, FlushedWritesSurviveEveryCrash) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const std::unique_ptr<Random> random = MakeSeededRandom(seed);
    MemDisk disk(&loop_, contents_);
    EXPECT_TRUE(Write(&disk, seed, Page(7)).ok());
    EXPECT_TRUE(loop_.Run(disk.Flush()).ok());
    disk.Crash(random.get());
    MemDisk after(&loop_, contents_);
    ASSERT_EQ(ReadFirstByte(&after, seed), 7) << "seed " << seed;
  }
}

TEST_F(MemDiskTest, UnflushedWritesAreSometimesLostAndSometimesTornBySectors) {
  std::set<size_t> sectors_kept;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const std::unique_ptr<Random> random = MakeSeededRandom(seed);
    MemDisk disk(&loop_, contents_);
    EXPECT_TRUE(Write(&disk, seed, Page(7)).ok());
    disk.Crash(random.get());
    MemDisk after(&loop_, contents_);
    Page found;
    EXPECT_TRUE(loop_.Run(after.Read(seed * kDiskPageBytes, found.bytes)).ok());
    size_t kept = 0;
    for (size_t at = 0; at < kDiskPageBytes; at += 512) {
      const std::set<uint8_t> values(found.bytes.begin() + at, found.bytes.begin() + at + 512);
      ASSERT_EQ(values.size(), 1u) << "a sector is written whole or not; seed " << seed;
      kept += *values.begin() == 7 ? 1 : 0;
    }
    sectors_kept.insert(kept);
  }
  EXPECT_TRUE(sectors_kept.contains(0));
  EXPECT_TRUE(sectors_kept.contains(8));
  EXPECT_GT(sectors_kept.size(), 2u) << "no write was torn";
}

TEST_F(MemDiskTest, CrashedDiskRefusesEverything) {
  const std::unique_ptr<Random> random = MakeSeededRandom(1);
  MemDisk disk(&loop_, contents_);
  disk.Crash(random.get());
  EXPECT_EQ(Write(&disk, 0, Page(1)).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(loop_.Run(disk.Flush()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(MemDiskTest, FlushCoversOnlyWritesThatHadEnded) {
  MemDisk disk(&loop_, contents_, {.latency_ns = 1'000});
  const Page page(7);
  TaskScope scope(&loop_);
  const auto run = [](Task<absl::Status> task) -> Task<void> { co_await task; };
  scope.Spawn(run(disk.Flush()));
  scope.Spawn(run(disk.Write(0, page.bytes)));
  loop_.RunUntilIdle();
  EXPECT_EQ(contents_->unflushed_writes(), 1u);
}

TEST_F(MemDiskTest, JitterReordersCompletions) {
  MemDisk disk(&loop_, contents_, {.latency_ns = 10, .jitter_ns = 1'000, .seed = 3});
  TaskScope scope(&loop_);
  std::vector<Page> pages(16);
  std::vector<int> order;
  const auto run = [](Task<absl::Status> task, std::vector<int>* out, int i) -> Task<void> {
    co_await task;
    out->push_back(i);
  };
  for (int i = 0; i < 16; ++i) scope.Spawn(run(disk.Read(0, pages[i].bytes), &order, i));
  loop_.RunUntilIdle();
  EXPECT_EQ(order.size(), 16u);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(MemDiskTest, MisalignedAndOutOfRangeAreRefused) {
  MemDisk disk(&loop_, contents_);
  Page page;
  EXPECT_EQ(loop_.Run(disk.Write(512, page.bytes)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(loop_.Run(disk.Write(0, ByteView(page.bytes).first(512))).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(loop_.Run(disk.Read(uint64_t{1} << 40, page.bytes)).code(), absl::StatusCode::kOutOfRange);
}

TEST_F(MemDiskTest, FlippedBitIsOneBit) {
  MemDisk disk(&loop_, contents_);
  EXPECT_TRUE(Write(&disk, 1, Page(0)).ok());
  contents_->FlipBit(kDiskPageBytes, 3);
  EXPECT_EQ(ReadFirstByte(&disk, 1), 8);
}

TEST(MemDiskDeathTest, BufferChangedDuringAWriteAborts) {
  SimLoop loop;
  MemDisk disk(&loop, std::make_shared<MemDiskContents>(1 << 20), {.latency_ns = 1000});
  Page page(1);
  const auto run = [&]() -> Task<void> {
    TaskScope scope(&loop);
    const auto write = [](MemDisk* to, const Page* from) -> Task<void> {
      const absl::Status status = co_await to->Write(0, from->bytes);
      EXPECT_TRUE(status.ok());
    };
    scope.Spawn(write(&disk, &page));
    page.bytes[0] = 2;
    co_await scope.Join();
  };
  EXPECT_DEATH(loop.Run(run()), "");
}

}  // namespace
}  // namespace incipit
