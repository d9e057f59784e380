#include "transport/ucx/ucx_endpoint.h"

#include "tests/transport/ucx/ucx_fixture.h"

namespace incipit::testing {
namespace {

class UcxEndpointTest : public UcxTest {};

TEST_F(UcxEndpointTest, NobodyListeningIsUnavailable) {
  Listen();
  const std::string address = Address();
  listener_.reset();
  server_.reset();
  const auto stream = loop_->RunTask(connector_->Connect(address, loop_->NowNs() + 20 * kSecondNs));
  EXPECT_EQ(stream.status().code(), absl::StatusCode::kUnavailable) << stream.status();
}

TEST_F(UcxEndpointTest, ListenerThatNeverAnswersIsGivenUpAtTheDeadline) {
  Listen();
  const auto stream = loop_->RunTask(connector_->Connect(Address(), loop_->NowNs() - 1));
  EXPECT_EQ(stream.status().code(), absl::StatusCode::kDeadlineExceeded) << stream.status();
}

TEST_F(UcxEndpointTest, MalformedAddressIsRefused) {
  const auto stream = loop_->RunTask(connector_->Connect("ucx://127.0.0.1", kForeverNs));
  EXPECT_EQ(stream.status().code(), absl::StatusCode::kInvalidArgument);
}

Task<absl::Status> AcceptOne(Listener* listener) {
  Task<absl::StatusOr<std::unique_ptr<Stream>>> accepting = listener->Accept();
  const absl::StatusOr<std::unique_ptr<Stream>> stream = co_await accepting;
  co_return stream.status();
}
Task<void> CloseSoon(Loop* loop, Listener* listener) {
  co_await SleepUntil(loop, loop->NowNs() + 1'000'000);
  listener->Close();
}

TEST_F(UcxEndpointTest, ClosedListenerEndsAccept) {
  Listen();
  TaskScope scope(loop_.get());
  scope.Spawn(CloseSoon(loop_.get(), listener_.get()));
  EXPECT_EQ(loop_->RunTask(AcceptOne(listener_.get())).code(), absl::StatusCode::kCancelled);
  while (scope.running() > 0) loop_->RunOnce();
}

TEST_F(UcxEndpointTest, SameAddressIsTakenOnceAndAgainAfterwards) {
  Listen();
  Join();
  const TcpAddress address = listener_->address();
  auto second = UcxWorker::Create(loop_.get(), {.settings = TestUcxSettings()});
  ASSERT_TRUE(second.ok());
  near_.reset();
  far_.reset();
  listener_.reset();
  server_.reset();
  EXPECT_TRUE(UcxListener::Create(second->get(), address).ok());
}

}  // namespace
}  // namespace incipit::testing
