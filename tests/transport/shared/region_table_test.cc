#include "transport/shared/region_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace incipit {
namespace {

using wire::RegionKind;

OwnedFd Memory(uint64_t bytes) {
  OwnedFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  return fd;
}

std::vector<OwnedFd> One(OwnedFd fd) {
  std::vector<OwnedFd> fds;
  fds.push_back(std::move(fd));
  return fds;
}

class RegionTableTest : public testing::Test {
 protected:
  absl::Status Register(uint32_t id, uint64_t bytes) {
    return table_.Register({id, RegionKind::kMemory, bytes}, One(Memory(bytes)));
  }
  RegionTable table_{{.max_regions = 2, .max_bytes = 1 << 20}};
};

TEST_F(RegionTableTest, PiecesOfSeveralRegionsInOrder) {
  ASSERT_TRUE(Register(7, 8192).ok());
  ASSERT_TRUE(Register(3, 4096).ok());
  const auto memory = table_.Resolve({.pieces = {{7, 100, 8092}, {3, 4096, 0}, {7, 4, 0}}}, 4200);
  ASSERT_TRUE(memory.ok()) << memory.status();
  ASSERT_EQ(memory->pieces.size(), 3u);
  const auto* second = static_cast<uint8_t*>(memory->pieces[0].iov_base);
  const auto* first = static_cast<uint8_t*>(memory->pieces[2].iov_base);
  EXPECT_EQ(second - first, 8092);
  EXPECT_EQ(memory->pieces[1].iov_len, 4096u);
}

TEST_F(RegionTableTest, NothingOutsideOfARegionIsEverGiven) {
  ASSERT_TRUE(Register(1, 8192).ok());
  for (const wire::RegionRef& piece : std::vector<wire::RegionRef>{
           {1, 100, 8093}, {1, 100, UINT64_MAX}, {1, 100, UINT64_MAX - 99}, {1, 8193, 0}, {1, 1, 8192}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(table_.Resolve({.pieces = {piece}}, piece.bytes).status())) << piece.offset;
  }
  EXPECT_TRUE(absl::IsNotFound(table_.Resolve({.pieces = {{2, 1, 0}}}, 1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(table_.Resolve({.pieces = {{1, 2, 0}}}, 1).status()));
}

TEST_F(RegionTableTest, LimitsAreOfNumberAndBytesAndForgettingGivesRoom) {
  EXPECT_TRUE(absl::IsResourceExhausted(Register(1, (1 << 20) + 4096)));
  ASSERT_TRUE(Register(1, 1 << 19).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Register(1, 4096)));
  ASSERT_TRUE(Register(2, 1 << 19).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(Register(3, 4096)));
  EXPECT_EQ(table_.bytes(), 1u << 20);
  ASSERT_TRUE(table_.Forget(1).ok());
  EXPECT_TRUE(absl::IsNotFound(table_.Forget(1)));
  EXPECT_TRUE(Register(3, 4096).ok());
  EXPECT_EQ(table_.regions(), 2u);
}

TEST_F(RegionTableTest, MemoryInUseStaysMappedWhenItIsForgotten) {
  ASSERT_TRUE(Register(1, 8192).ok());
  const auto memory = table_.Resolve({.pieces = {{1, 8192, 0}}}, 8192);
  ASSERT_TRUE(memory.ok());
  ASSERT_TRUE(table_.Forget(1).ok());
  static_cast<uint8_t*>(memory->pieces[0].iov_base)[8191] = 1;  // faults if it is gone
}

TEST_F(RegionTableTest, GatesNeedAControlPageOfTheRightSize) {
  EXPECT_TRUE(absl::IsNotFound(table_.GateOf(0).status()));
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const OwnedFd reader(ends[0]);
  std::vector<OwnedFd> fds = One(Memory(2 * kControlBytes));
  fds.emplace_back(dup(ends[1]));
  EXPECT_TRUE(absl::IsInvalidArgument(table_.Register({0, RegionKind::kControl, 2 * kControlBytes}, std::move(fds))));
  EXPECT_TRUE(
      absl::IsInvalidArgument(table_.Register({0, RegionKind::kControl, kControlBytes}, One(Memory(kControlBytes)))));
  fds = One(Memory(kControlBytes));
  fds.emplace_back(ends[1]);
  ASSERT_TRUE(table_.Register({0, RegionKind::kControl, kControlBytes}, std::move(fds)).ok());
  auto gate = table_.GateOf(kControlWords - 1);
  ASSERT_TRUE(gate.ok()) << gate.status();
  EXPECT_TRUE(BeginCopy(gate->word()));
  EXPECT_TRUE(absl::IsInvalidArgument(table_.GateOf(kControlWords).status()));
}

}  // namespace
}  // namespace incipit
