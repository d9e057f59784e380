#include "transport/ucx/guard/ucx_watched_socket.h"

#include <gtest/gtest.h>

#include "tests/transport/ucx/guard/ucx_traffic.h"

namespace incipit::testing {
namespace {

class UcxWatchedSocketTest : public ::testing::Test {
 protected:
  UcxWatchedSocketTest() { Begin(1); }
  void Begin(uint64_t cookie) {
    socket_.Begin(cookie, {.own = Ipv4("10.0.0.2", 5000), .peer = Ipv4("10.0.0.1", 40'000)});
  }
  UcxWatchedSocket socket_;
  const Bytes magic_ = Packed().Add(ucx_wire::kMagic).bytes;
  const Bytes connect_ = UcxConnectFrame(Ipv4("10.0.0.1", 6000), 3);
};

TEST_F(UcxWatchedSocketTest, PeersConnectionForData) {
  const Bytes stream = Packed().Append(magic_).Append(connect_).Append(UcxMessageFrame(1)).bytes;
  for (const uint8_t& byte : stream) EXPECT_TRUE(socket_.OnReceived({&byte, 1}));
  EXPECT_FALSE(socket_.OnReceived(UcxPutFrame(0x1000, 8)));
  EXPECT_TRUE(socket_.refused());
  EXPECT_FALSE(socket_.OnReceived(UcxMessageFrame(1))) << "refused for good";
}

TEST_F(UcxWatchedSocketTest, OurConnectionForData) {
  socket_.OnSent(magic_);
  socket_.OnSent(connect_);
  EXPECT_TRUE(socket_.OnReceived(UcxMessageFrame(1)));
  EXPECT_FALSE(socket_.OnReceived(connect_)) << "we connected";
}

TEST_F(UcxWatchedSocketTest, ConnectionManagersEitherWay) {
  const Bytes greeting = UcxGreeting(UcxGreetingBody());
  EXPECT_TRUE(socket_.OnReceived(greeting));
  socket_.OnSent(greeting);
  EXPECT_TRUE(socket_.OnReceived(UcxGreeting({})));
  Begin(2);
  socket_.OnSent(greeting);
  EXPECT_TRUE(socket_.OnReceived(greeting));
  EXPECT_FALSE(socket_.OnReceived(UcxGreeting({})));
}

TEST_F(UcxWatchedSocketTest, NewSocketStartsAnew) {
  EXPECT_FALSE(socket_.OnReceived(Bytes(64, 0xff)));
  Begin(2);
  EXPECT_FALSE(socket_.refused());
  EXPECT_TRUE(socket_.OnReceived(magic_));
}

}  // namespace
}  // namespace incipit::testing
