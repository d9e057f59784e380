#include "cache/seams/faulty_disk.h"

#include <array>

#include <gtest/gtest.h>

#include "cache/format/region.h"
#include "cache/runtime/sim_loop.h"
#include "cache/seams/mem_disk.h"

namespace incipit {
namespace {

struct alignas(kDiskPageBytes) Page {
  std::array<uint8_t, kDiskPageBytes> bytes{};
};

class FaultyDiskTest : public testing::Test {
 protected:
  FaultyDiskTest() { page_.bytes.fill(0x5a); }
  absl::StatusCode Write(uint64_t page = 0) {
    return loop_.Run(disk_.Write(page * kDiskPageBytes, page_.bytes)).code();
  }
  absl::StatusCode Read(Page* into, uint64_t page = 0) {
    return loop_.Run(disk_.Read(page * kDiskPageBytes, into->bytes)).code();
  }

  SimLoop loop_;
  std::unique_ptr<Random> random_ = MakeSeededRandom(1);
  MemDisk below_{&loop_, std::make_shared<MemDiskContents>(1 << 20)};
  FaultyDisk disk_{&loop_, &below_, random_.get()};
  Page page_;
};

TEST_F(FaultyDiskTest, PlannedFaultHitsExactlyThePlannedOperations) {
  disk_.Plan(FaultSite::kWriteError, 1, 2);
  EXPECT_EQ(Write(), absl::StatusCode::kOk);
  EXPECT_EQ(Write(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Write(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Write(), absl::StatusCode::kOk);
  EXPECT_EQ(disk_.fired(FaultSite::kWriteError), 2u);
  EXPECT_EQ(disk_.operations(), 4u);
}

TEST_F(FaultyDiskTest, EachFaultHasItsOwnStatus) {
  disk_.Plan(FaultSite::kNoSpace, 0, 1);
  EXPECT_EQ(Write(), absl::StatusCode::kResourceExhausted);
  disk_.Plan(FaultSite::kFlushError, 0, 1);
  EXPECT_EQ(loop_.Run(disk_.Flush()).code(), absl::StatusCode::kUnavailable);
  disk_.Plan(FaultSite::kReadError, 0, 1);
  Page into;
  EXPECT_EQ(Read(&into), absl::StatusCode::kUnavailable);
}

TEST_F(FaultyDiskTest, FlippedBitSucceedsWithOneBitWrong) {
  ASSERT_EQ(Write(), absl::StatusCode::kOk);
  disk_.Plan(FaultSite::kFlippedBit, 0, 1);
  Page into;
  EXPECT_EQ(Read(&into), absl::StatusCode::kOk);
  int wrong_bits = 0;
  for (size_t i = 0; i < into.bytes.size(); ++i) wrong_bits += std::popcount(uint8_t(into.bytes[i] ^ page_.bytes[i]));
  EXPECT_EQ(wrong_bits, 1);
  EXPECT_EQ(Read(&into), absl::StatusCode::kOk);
  EXPECT_EQ(into.bytes, page_.bytes) << "the device itself is unharmed";
}

TEST_F(FaultyDiskTest, TornWriteFailsAndLeavesWholeSectorsOfBoth) {
  disk_.Plan(FaultSite::kTornWrite, 0, 1);
  EXPECT_EQ(Write(), absl::StatusCode::kUnavailable);
  Page into;
  ASSERT_EQ(Read(&into), absl::StatusCode::kOk);
  size_t fresh = 0;
  for (size_t at = 0; at < kDiskPageBytes; at += 512) {
    for (size_t i = at; i < at + 512; ++i) ASSERT_EQ(into.bytes[i], into.bytes[at]);
    fresh += into.bytes[at] == 0x5a ? 1 : 0;
  }
  EXPECT_GT(fresh, 0u);
  EXPECT_LT(fresh, 8u);
}

TEST_F(FaultyDiskTest, HungOperationGoesOnWhenHealed) {
  disk_.Plan(FaultSite::kHang, 0, 1);
  bool ended = false;
  TaskScope scope(&loop_);
  const auto write = [](FaultyDisk* to, const Page* from, bool* flag) -> Task<void> {
    const absl::Status status = co_await to->Write(0, from->bytes);
    *flag = status.ok();
  };
  scope.Spawn(write(&disk_, &page_, &ended));
  loop_.RunUntilIdle();
  EXPECT_FALSE(ended);
  disk_.Heal();
  loop_.RunUntilIdle();
  EXPECT_TRUE(ended);
}

TEST_F(FaultyDiskTest, CrashStopsThatOperationAndAllLaterOnes) {
  int crashes = 0;
  disk_.CrashAtOperation(2, [&crashes] { ++crashes; });
  EXPECT_EQ(Write(0), absl::StatusCode::kOk);
  EXPECT_EQ(Write(1), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Write(2), absl::StatusCode::kUnavailable);
  EXPECT_EQ(crashes, 1);
  Page into;
  EXPECT_TRUE(loop_.Run(below_.Read(kDiskPageBytes, into.bytes)).ok());
  EXPECT_EQ(into.bytes[0], 0) << "the second write did not happen";
}

}  // namespace
}  // namespace incipit
