#include "transport/ucx/ucx_worker.h"

#include "tests/transport/ucx/ucx_fixture.h"

namespace incipit::testing {
namespace {

class UcxWorkerTest : public UcxTest {
 protected:
  // Messages of a peer's making, by a worker of its own.
  void MakeRogue() {
    auto worker = UcxWorker::Create(loop_.get(), {.settings = TestUcxSettings(), .offer_memory = true});
    ASSERT_TRUE(worker.ok()) << worker.status();
    rogue_ = *std::move(worker);
    auto link = rogue_->Connect(listener_->address());
    ASSERT_TRUE(link.ok()) << link.status();
    link_ = *link;
    while (!link_->opened()->is_set()) loop_->RunOnce();
    ASSERT_FALSE(link_->failed()) << link_->status();
    far_ = *loop_->RunTask(listener_->Accept());
  }
  void SendRaw(const std::vector<uint8_t>& header, const std::vector<uint8_t>& data, bool by_rendezvous = false) {
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
    param.flags = (by_rendezvous ? UCP_AM_SEND_FLAG_RNDV : UCP_AM_SEND_FLAG_EAGER) | UCP_AM_SEND_FLAG_REPLY;
    ucs_status_ptr_t request =
        rogue_->api()->am_send_nbx(link_->endpoint(), UcxMessage::kActiveMessageId, header.data(), header.size(),
                                   data.data(), data.size(), &param);
    if (UCS_PTR_IS_PTR(request)) rogue_->api()->request_free(request);
  }
  static std::vector<uint8_t> Bytes(const UcxMessage& message) {
    const auto header = message.Encode();
    return {header.begin(), header.end()};
  }
  UcxMessage Message(uint64_t sequence) const { return {.token = link_->token(), .sequence = sequence}; }
  // The server's end has failed with this.
  absl::Status FarStatus() {
    std::vector<uint8_t> bytes(1);
    return loop_->RunTask(ReadAll(far_.get(), {Piece(bytes)}));
  }
  void TearDown() override {
    if (link_ != nullptr) link_->Close();
    link_.reset();
    far_.reset();
    rogue_.reset();
    UcxTest::TearDown();
  }

  std::unique_ptr<UcxWorker> rogue_;
  std::shared_ptr<UcxLink> link_;
};

TEST_F(UcxWorkerTest, MessagesOfStrangersAreCountedAndDropped) {
  Listen();
  MakeRogue();
  UcxMessage message = Message(0);
  message.token[3] ^= 1;
  SendRaw(Bytes(message), {1, 2, 3});
  SendRaw({1, 2, 3}, {});
  SendRaw({}, {4});
  const std::vector<uint8_t> large(100'000, 7);
  SendRaw(Bytes(message), large, /*by_rendezvous=*/true);
  while (server_->strangers() < 4) loop_->RunOnce();
  std::vector<uint8_t> sent = Pattern(10, 1), got(10);  // the link itself is none the worse
  UcxStream stream(link_);
  EXPECT_TRUE(Move(&stream, {Piece(sent)}, far_.get(), {Piece(got)}).ok());
  EXPECT_EQ(got, sent);
}

TEST_F(UcxWorkerTest, MessageBeyondTheWindowEndsTheLink) {
  Listen();
  MakeRogue();
  SendRaw(Bytes(Message(UcxMessage::kWindow)), {1});
  EXPECT_EQ(FarStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UcxWorkerTest, RepeatedMessageEndsTheLink) {
  Listen();
  MakeRogue();
  SendRaw(Bytes(Message(1)), {1});
  SendRaw(Bytes(Message(1)), {1});
  EXPECT_EQ(FarStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UcxWorkerTest, MoreEagerBytesThanAllowedEndTheLink) {
  Listen();
  MakeRogue();
  SendRaw(Bytes(Message(0)), std::vector<uint8_t>(UcxMessage::kMaxEagerBytes + 1));
  EXPECT_EQ(FarStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UcxWorkerTest, EmptyMessageEndsTheLink) {
  Listen();
  MakeRogue();
  SendRaw(Bytes(Message(0)), {});
  EXPECT_EQ(FarStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UcxWorkerTest, ClaimToHaveTakenWhatWasNotSentEndsTheLink) {
  Listen();
  MakeRogue();
  UcxMessage message = Message(0);
  message.taken = 1;
  SendRaw(Bytes(message), {1});
  EXPECT_EQ(FarStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UcxWorkerTest, EndIsTheEndOnceAllBytesWereRead) {
  Listen();
  MakeRogue();
  UcxMessage end = Message(1);
  end.kind = UcxMessageKind::kEnd;
  SendRaw(Bytes(end), {});  // overtakes the only message
  SendRaw(Bytes(Message(0)), {42});
  std::vector<uint8_t> got(1);
  const iovec into = Piece(got);
  const auto read = loop_->RunTask(far_->Read({&into, 1}));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(got[0], 42);
  EXPECT_TRUE(absl::IsUnavailable(FarStatus()));
}

TEST_F(UcxWorkerTest, BytesAfterTheEndEndTheLink) {
  Listen();
  MakeRogue();
  UcxMessage end = Message(1);
  end.kind = UcxMessageKind::kEnd;
  SendRaw(Bytes(end), {});
  SendRaw(Bytes(Message(1)), {1});
  EXPECT_EQ(FarStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UcxWorkerTest, EndBeyondTheWindowEndsTheLink) {
  Listen();
  MakeRogue();
  UcxMessage end = Message(UcxMessage::kWindow + 1);
  end.kind = UcxMessageKind::kEnd;
  SendRaw(Bytes(end), {});
  EXPECT_EQ(FarStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UcxWorkerTest, SecondOpenEndsTheLink) {
  Listen();
  MakeRogue();
  UcxMessage message = Message(0);
  message.kind = UcxMessageKind::kOpen;
  SendRaw(Bytes(message), {});
  EXPECT_EQ(FarStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UcxWorkerTest, ConnectionsOverTheLimitAreTurnedAway) {
  Listen({.max_links = 1});
  Join();
  const auto second = loop_->RunTask(connector_->Connect(Address(), loop_->NowNs() + 5 * kSecondNs));
  EXPECT_FALSE(second.ok());
  EXPECT_EQ(server_->refused(), 1u);
  std::vector<uint8_t> sent = Pattern(10, 1), got(10);
  EXPECT_TRUE(Move(near_.get(), {Piece(sent)}, far_.get(), {Piece(got)}).ok());
}

TEST_F(UcxWorkerTest, LinksOfClosedStreamsAreForgotten) {
  Join();
  EXPECT_EQ(server_->links(), 1u);
  near_.reset();
  while (server_->links() > 0) loop_->RunOnce();
}

}  // namespace
}  // namespace incipit::testing
