#include "cache/runtime/uring_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/format/region.h"
#include "cache/seams/random.h"

namespace incipit {
namespace {

using testing::HasSubstr;

constexpr uint64_t kPage = kDiskPageBytes;

// Aligned memory with random content.
class Pages {
 public:
  Pages(size_t pages, uint64_t seed) : bytes_(pages * kPage), data_(std::aligned_alloc(kPage, bytes_)) {
    MakeSeededRandom(seed)->Fill(mutable_view());
  }
  ~Pages() { std::free(data_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  MutableBytes mutable_view() { return {static_cast<uint8_t*>(data_), bytes_}; }
  ByteView view() const { return {static_cast<const uint8_t*>(data_), bytes_}; }
  friend bool operator==(const Pages& a, const Pages& b) { return AsText(a.view()) == AsText(b.view()); }

 private:
  size_t bytes_;
  void* data_;
};

class UringDiskTest : public testing::Test {
 protected:
  UringDiskTest() {
    // In the build folder: /tmp may be a tmpfs, which need not know O_DIRECT.
    std::string folder = INCIPIT_BINARY_DIR "/uring_disk_test_XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  ~UringDiskTest() override { std::filesystem::remove_all(folder_); }

  std::string PathOf(const std::string& name) const { return folder_ + "/" + name; }
  std::unique_ptr<UringDisk> Open(const UringDiskOptions& options) {
    absl::StatusOr<std::unique_ptr<UringDisk>> disk = UringDisk::Open(loop_.get(), options);
    EXPECT_TRUE(disk.ok()) << disk.status();
    return *std::move(disk);
  }
  absl::Status Refused(const UringDiskOptions& options) { return UringDisk::Open(loop_.get(), options).status(); }

  std::string folder_;
  std::unique_ptr<UringLoop> loop_ = *UringLoop::Create({});
};

TEST_F(UringDiskTest, BytesSurviveReopening) {
  const Pages written(4, 1);
  {
    const auto disk = Open({.path = PathOf("a"), .bytes = 16 * kPage});
    EXPECT_EQ(disk->CapacityBytes(), 16 * kPage);
    EXPECT_TRUE(loop_->RunTask(disk->Write(3 * kPage, written.view())).ok());
    EXPECT_TRUE(loop_->RunTask(disk->Flush()).ok());
  }
  const auto disk = Open({.path = PathOf("a"), .bytes = 16 * kPage});
  Pages read(4, 2);
  EXPECT_TRUE(loop_->RunTask(disk->Read(3 * kPage, read.mutable_view())).ok());
  EXPECT_TRUE(read == written);
}

TEST_F(UringDiskTest, RegisteredBuffersMoveTheSameBytes) {
  Pages memory(8, 1);
  ASSERT_TRUE(loop_->RegisterBuffers({{memory.mutable_view().data(), memory.view().size()}}).ok());
  const auto disk = Open({.path = PathOf("a"), .bytes = 16 * kPage});
  EXPECT_TRUE(loop_->RunTask(disk->Write(0, memory.view().first(4 * kPage))).ok());
  EXPECT_TRUE(loop_->RunTask(disk->Read(0, memory.mutable_view().subspan(4 * kPage))).ok());
  EXPECT_EQ(AsText(memory.view().first(4 * kPage)), AsText(memory.view().subspan(4 * kPage)));
}

TEST_F(UringDiskTest, RangesOfOneFileDoNotOverlap) {
  const auto first = Open({.path = PathOf("a"), .bytes = 4 * kPage});
  const auto second = Open({.path = PathOf("a"), .bytes = 4 * kPage, .start_bytes = 4 * kPage});
  const Pages one(4, 1), two(4, 2);
  EXPECT_TRUE(loop_->RunTask(second->Write(0, two.view())).ok());
  EXPECT_TRUE(loop_->RunTask(first->Write(0, one.view())).ok());
  Pages read(4, 3);
  EXPECT_TRUE(loop_->RunTask(second->Read(0, read.mutable_view())).ok());
  EXPECT_TRUE(read == two);
}

TEST_F(UringDiskTest, TransferBeyondCapacityIsOutOfRangeAndTouchesNothing) {
  const auto disk = Open({.path = PathOf("a"), .bytes = 4 * kPage});
  const Pages pages(2, 1);
  EXPECT_EQ(loop_->RunTask(disk->Write(3 * kPage, pages.view())).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(loop_->RunTask(disk->Write(UINT64_MAX - kPage + 1, pages.view())).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(std::filesystem::file_size(PathOf("a")), 4 * kPage);
}

TEST_F(UringDiskTest, SecondOpenOfARangeIsRefused) {
  const auto disk = Open({.path = PathOf("a"), .bytes = 4 * kPage});
  const absl::Status status =
      Refused({.path = PathOf("a"), .bytes = 4 * kPage, .start_bytes = 3 * kPage, .lock_wait_ms = 0});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("in use"));
}

TEST_F(UringDiskTest, RangeOfAProcessThatIsEndingIsWaitedFor) {
  const int fd = open(PathOf("a").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_len = static_cast<off_t>(4 * kPage);
  ASSERT_EQ(fcntl(fd, F_OFD_SETLK, &lock), 0);
  std::thread owner([fd] {
    usleep(50'000);
    close(fd);
  });
  const auto disk = Open({.path = PathOf("a"), .bytes = 4 * kPage, .lock_wait_ms = 600'000});
  EXPECT_EQ(disk->CapacityBytes(), 4 * kPage);
  owner.join();
}

TEST_F(UringDiskTest, MoreThanTheDiskHoldsIsRefusedAndGivenBack) {
  const absl::Status status = Refused({.path = PathOf("a"), .bytes = uint64_t{1} << 43});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(std::filesystem::file_size(PathOf("a")), 0u);
}

TEST_F(UringDiskTest, SparseFileTakesNoSpaceUntilWritten) {
  const auto disk = Open({.path = PathOf("a"), .bytes = uint64_t{1} << 40, .preallocate = false});
  const Pages pages(1, 1);
  EXPECT_TRUE(loop_->RunTask(disk->Write((uint64_t{1} << 40) - kPage, pages.view())).ok());
}

TEST_F(UringDiskTest, WrongPathsNameWhatIsWrong) {
  EXPECT_EQ(Refused({.path = PathOf("no/such/folder"), .bytes = kPage}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Refused({.path = PathOf("a"), .bytes = 0}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Refused({.path = PathOf("a"), .bytes = kPage, .start_bytes = 1}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(Refused({.path = folder_, .bytes = kPage}).ok());
}

}  // namespace
}  // namespace incipit
