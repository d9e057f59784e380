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

TEST_F(UcxEndpointTest, AConnectorThatOffersNoMemoryMovesTheSameBytes) {
  connector_ = std::make_unique<UcxConnector>(loop_.get(), UcxConnectorOptions{.offer_memory = false});
  Join();
  for (const bool promised : {false, true}) {
    for (auto [from, to] : {std::pair(near_.get(), far_.get()), std::pair(far_.get(), near_.get())}) {
      std::vector<uint8_t> sent = Pattern(5 << 20, promised ? 2 : 1), received(sent.size());
      if (promised) to->ExpectRead(std::vector<iovec>{Piece(received)}, nullptr);
      EXPECT_TRUE(Move(from, {Piece(sent)}, to, {Piece(received)}).ok());
      loop_->RunTask(to->EndExpectedReads());
      EXPECT_EQ(received, sent);
    }
  }
}

TEST_F(UcxEndpointTest, ItsOwnDevicesCountInPlaceOfTheAddresss) {
  Listen();
  UcxAddress elsewhere{listener_->address().ToString(), {.devices = "no_such_device:1", .transports = "rc"}};
  const auto connect = [&](const UcxConnectorOptions& options) {
    connector_ = std::make_unique<UcxConnector>(loop_.get(), options);
    return loop_->RunTask(connector_->Connect(elsewhere.ToString(), loop_->NowNs() + 20 * kSecondNs)).status();
  };
  EXPECT_FALSE(connect({}).ok());
  EXPECT_TRUE(connect({.settings = TestUcxSettings()}).ok());
}

TEST_F(UcxEndpointTest, PreparingSaysWhatIsMissing) {
  EXPECT_TRUE(UcxConnector(loop_.get(), {.settings = TestUcxSettings()}).Prepare().ok());
  const UcxSettings none{.devices = "no_such_device", .transports = "tcp"};
  const absl::Status status = UcxConnector(loop_.get(), {.settings = none}).Prepare();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_NE(status.message().find("no_such_device"), std::string::npos) << status;
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
