#include "transport/owned_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }
int Open() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(OwnedFdTest, ClosesWhatItHoldsOnce) {
  const int fd = Open();
  {
    OwnedFd first(fd);
    OwnedFd second(std::move(first));
    EXPECT_FALSE(first.valid());  // NOLINT: that is the question
    EXPECT_TRUE(IsOpen(fd));
    second = OwnedFd(Open());
    EXPECT_NE(second.get(), -1);
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(OwnedFdTest, ReleaseGivesItAway) {
  const int fd = Open();
  {
    OwnedFd owned(fd);
    EXPECT_EQ(owned.Release(), fd);
  }
  EXPECT_TRUE(IsOpen(fd));
  close(fd);
}

}  // namespace
}  // namespace incipit
