#include "transport/ucx/ucx_sockets.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/tcp/tcp_address.h"

namespace incipit {
namespace {

int OptionOf(int fd, int level, int name) {
  int value = -1;
  socklen_t bytes = sizeof(value);
  EXPECT_EQ(getsockopt(fd, level, name, &value, &bytes), 0);
  return value;
}

class UcxSocketsTest : public ::testing::Test {
 protected:
  UcxSocketsTest() {
    TcpAddress address = *ResolveTcpAddress("127.0.0.1:0");
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address.storage), address.bytes), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address.storage), &address.bytes), 0);
    EXPECT_EQ(connect(near_, reinterpret_cast<const sockaddr*>(&address.storage), address.bytes), 0);
    far_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  }
  ~UcxSocketsTest() override {
    for (const int fd : {listener_, near_, far_}) close(fd);
  }

  int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int near_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int far_ = -1;
};

TEST_F(UcxSocketsTest, EveryTcpSocketGetsKeepaliveAndALimit) {
  EXPECT_EQ(OptionOf(far_, SOL_SOCKET, SO_KEEPALIVE), 0);
  LimitSilenceOfTcpSockets();
  for (const int fd : {near_, far_}) {
    EXPECT_EQ(OptionOf(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(OptionOf(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), kGoneHostSeconds * 1000);
    EXPECT_LE(OptionOf(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
                  OptionOf(fd, IPPROTO_TCP, TCP_KEEPCNT) * OptionOf(fd, IPPROTO_TCP, TCP_KEEPINTVL),
              kGoneHostSeconds);
  }
}

TEST_F(UcxSocketsTest, SocketsThatHaveALimitKeepIt) {
  const unsigned own_ms = 5000;
  ASSERT_EQ(setsockopt(near_, IPPROTO_TCP, TCP_USER_TIMEOUT, &own_ms, sizeof(own_ms)), 0);
  LimitSilenceOfTcpSockets();
  EXPECT_EQ(OptionOf(near_, IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
  EXPECT_EQ(OptionOf(near_, SOL_SOCKET, SO_KEEPALIVE), 0);
}

TEST_F(UcxSocketsTest, OtherDescriptorsAreLeftAlone) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  LimitSilenceOfTcpSockets();
  EXPECT_EQ(OptionOf(pair[0], SOL_SOCKET, SO_KEEPALIVE), 0);
  for (const int fd : pair) close(fd);
}

}  // namespace
}  // namespace incipit
