#include "transport/tcp/tcp_endpoint.h"

#include <sys/socket.h>

#include <gtest/gtest.h>

#include "transport/tcp/tcp_stream.h"

namespace incipit {
namespace {

std::unique_ptr<TcpListener> ListenAnywhere(UringLoop* loop) {
  auto listener = TcpListener::Create(loop, *ResolveTcpAddress("127.0.0.1:0"));
  EXPECT_TRUE(listener.ok()) << listener.status();
  return *std::move(listener);
}

class TcpEndpointTest : public testing::Test {
 protected:
  std::unique_ptr<UringLoop> loop_ = *UringLoop::Create({});
};

TEST_F(TcpEndpointTest, FreePortIsReportedAndReachable) {
  const std::unique_ptr<TcpListener> listener = ListenAnywhere(loop_.get());
  EXPECT_NE(listener->address().ToString(), "127.0.0.1:0");
  TcpConnector connector(loop_.get());
  auto near = loop_->RunTask(connector.Connect(listener->address().ToString(), kForeverNs));
  ASSERT_TRUE(near.ok()) << near.status();
  auto far = loop_->RunTask(listener->Accept());
  ASSERT_TRUE(far.ok()) << far.status();
  EXPECT_EQ((*near)->PeerName(), listener->address().ToString());
}

TEST_F(TcpEndpointTest, TakenPortIsUnavailableAndNamed) {
  const std::unique_ptr<TcpListener> listener = ListenAnywhere(loop_.get());
  const absl::Status status = TcpListener::Create(loop_.get(), listener->address()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find(listener->address().ToString()), absl::string_view::npos) << status;
}

TEST_F(TcpEndpointTest, NobodyListeningIsUnavailable) {
  std::string address;
  {
    const std::unique_ptr<TcpListener> gone = ListenAnywhere(loop_.get());
    address = gone->address().ToString();
  }
  TcpConnector connector(loop_.get());
  EXPECT_EQ(loop_->RunTask(connector.Connect(address, kForeverNs)).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(TcpEndpointTest, ClosedListenerEndsAWaitingAccept) {
  const std::unique_ptr<TcpListener> listener = ListenAnywhere(loop_.get());
  const auto close_soon = [](TcpListener* target) -> Task<void> {
    target->Close();
    co_return;
  };
  const auto run = [&]() -> Task<absl::StatusCode> {
    TaskScope scope(loop_.get());
    absl::StatusCode code = absl::StatusCode::kOk;
    const auto accept = [](TcpListener* from, absl::StatusCode* out) -> Task<void> {
      const absl::StatusOr<std::unique_ptr<Stream>> accepted = co_await from->Accept();
      *out = accepted.status().code();
    };
    scope.Spawn(accept(listener.get(), &code));
    scope.Spawn(close_soon(listener.get()));
    co_await scope.Join();
    co_return code;
  };
  EXPECT_EQ(loop_->RunTask(run()), absl::StatusCode::kCancelled);
  EXPECT_EQ(loop_->RunTask(listener->Accept()).status().code(), absl::StatusCode::kCancelled);
}

// A listener that takes no more connections does not answer; its queue is filled first.
TEST_F(TcpEndpointTest, SilentPeerEndsAtTheDeadline) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const TcpAddress any = *ResolveTcpAddress("127.0.0.1:0");
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&any.storage), any.bytes), 0);
  ASSERT_EQ(listen(fd, 0), 0);
  TcpAddress taken;
  taken.bytes = sizeof(taken.storage);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&taken.storage), &taken.bytes), 0);
  TcpConnector connector(loop_.get());
  std::vector<std::unique_ptr<Stream>> queued;
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    auto stream = loop_->RunTask(connector.Connect(taken.ToString(), loop_->NowNs() + 20'000'000));
    status = stream.status();
    if (stream.ok()) queued.push_back(*std::move(stream));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  close(fd);
}

}  // namespace
}  // namespace incipit
