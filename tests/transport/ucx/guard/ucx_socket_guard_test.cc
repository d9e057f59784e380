#include "transport/ucx/guard/ucx_socket_guard.h"

#include "tests/support/ucx_raw_peer.h"
#include "tests/transport/ucx/ucx_fixture.h"

namespace incipit::testing {
namespace {

// Over UCX's tcp on loopback; peers are plain sockets.
class UcxSocketGuardTest : public UcxTest {
 protected:
  void SetUp() override {
    UcxTest::SetUp();
    if (IsSkipped()) return;
    // Whatever the other tests run over.
    for (const auto& [name, value] : kTcpOnLoopback) setenv(name, value, 1);
    Listen();
    greeting_ = RecordGreeting();
    ASSERT_TRUE(IsUcxGreetingBody(greeting_));
  }
  void TearDown() override {
    UcxTest::TearDown();
    for (size_t i = 0; i < before_.size(); ++i) {
      before_[i].empty() ? unsetenv(kTcpOnLoopback[i].first) : setenv(kTcpOnLoopback[i].first, before_[i].c_str(), 1);
    }
  }
  uint16_t Port() const { return ntohs(reinterpret_cast<const sockaddr_in*>(&listener_->address().storage)->sin_port); }
  // Runs the server's loop while `talk` talks to it.
  template <typename Talk>
  void While(Talk talk) {
    std::atomic<bool> done{false};
    std::thread talker([&] {
      talk();
      done = true;
    });
    while (!done) loop_->RunOnce(0);
    talker.join();
  }
  void ExpectOthersAreServed() {
    Join();
    std::vector<uint8_t> sent = Pattern(3'000'000, 1), got(sent.size());
    EXPECT_TRUE(Move(near_.get(), {Piece(sent)}, far_.get(), {Piece(got)}).ok());
    EXPECT_EQ(got, sent);
  }

  static constexpr std::pair<const char*, const char*> kTcpOnLoopback[] = {{"INCIPIT_UCX_TEST_TRANSPORTS", "tcp"},
                                                                           {"INCIPIT_UCX_TEST_DEVICES", "lo"},
                                                                           {"INCIPIT_UCX_TEST_HOST", "127.0.0.1"}};
  const std::vector<std::string> before_ = {TextFromEnvironment(kTcpOnLoopback[0].first, ""),
                                            TextFromEnvironment(kTcpOnLoopback[1].first, ""),
                                            TextFromEnvironment(kTcpOnLoopback[2].first, "")};
  Bytes greeting_;
  const uint64_t refused_before_ = UcxSocketGuard::refused();
};

TEST_F(UcxSocketGuardTest, OrdinaryTrafficIsNotRefused) {
  ExpectOthersAreServed();
  std::vector<uint8_t> back = Pattern(100'000, 2), got(back.size());
  EXPECT_TRUE(Move(far_.get(), {Piece(back)}, near_.get(), {Piece(got)}).ok());
  EXPECT_EQ(got, back);
  near_.reset();
  far_.reset();
  while (server_->links() > 0) loop_->RunOnce();
  EXPECT_EQ(UcxSocketGuard::refused(), refused_before_);
}

TEST_F(UcxSocketGuardTest, PeerByHandIsAPeer) {
  RawUcxPeer peer;
  While([&] {
    ASSERT_TRUE(peer.Connect(Port(), greeting_));
    EXPECT_TRUE(peer.data().Send(peer.Message({.kind = UcxMessageKind::kOpen, .token = {1}}, {})));
    EXPECT_FALSE(peer.data().Read(1, 5000).empty()) << "an answer";
  });
  EXPECT_EQ(UcxSocketGuard::refused(), refused_before_);
}

TEST_F(UcxSocketGuardTest, PutWritesNothing) {
  std::vector<uint8_t> victim(4096, 0x11);  // the server's: both are in this process
  const auto address = reinterpret_cast<uint64_t>(victim.data());
  While([&] {
    RawUcxPeer peer;
    ASSERT_TRUE(peer.Connect(Port(), greeting_));
    EXPECT_TRUE(peer.data().Send(Packed().Append(UcxPutFrame(address, 100)).Fill(100, 0xee).bytes));
    Bytes got;
    EXPECT_TRUE(peer.data().Ends(5000, &got));
    RawSocket stranger = RawSocket::Connect(peer.data_port());  // who has not even greeted
    Packed bytes = Packed().Add(ucx_wire::kMagic).Append(UcxPutFrame(address, 100)).Fill(100, 0xee);
    EXPECT_TRUE(stranger.Send(bytes.bytes));
    EXPECT_TRUE(stranger.Ends(5000, &got));
  });
  EXPECT_EQ(victim, std::vector<uint8_t>(4096, 0x11));
  EXPECT_EQ(UcxSocketGuard::refused(), refused_before_ + 2);
  ExpectOthersAreServed();
}

// UCX would end the process: it has read the beginning of a frame when the connection changes hands.
TEST_F(UcxSocketGuardTest, BeginningOfAFrameBehindTheRequestToConnect) {
  RawUcxPeer peer;
  While([&] {
    ASSERT_TRUE(peer.Greet(Port(), greeting_));
    RawSocket data = RawSocket::Connect(peer.data_port());
    const Bytes open = peer.Message({.kind = UcxMessageKind::kOpen, .token = {2}}, {});
    EXPECT_TRUE(data.Send(Packed().Append(peer.Hello()).Append({open.begin(), open.begin() + 3}).bytes));
    EXPECT_TRUE(data.Read(1, 100).empty());
    EXPECT_TRUE(data.Send({open.begin() + 3, open.end()}));
    EXPECT_FALSE(data.Read(1, 5000).empty()) << "an answer";
  });
  EXPECT_EQ(UcxSocketGuard::refused(), refused_before_);
}

TEST_F(UcxSocketGuardTest, WrongLengthsEndTheConnectionOnly) {
  While([&] {
    Bytes got;
    RawSocket greeter = RawSocket::Connect(Port());
    EXPECT_TRUE(greeter.Send(Packed().Add(uint64_t{1}).Fill(200).bytes));  // more than it says
    EXPECT_TRUE(greeter.Ends(5000, &got));
    RawUcxPeer peer;
    ASSERT_TRUE(peer.Connect(Port(), greeting_));
    EXPECT_TRUE(peer.data().Send(Packed().Add(ucx_wire::kMessage).Add(uint32_t{0xfffffff0}).Fill(100).bytes));
    EXPECT_TRUE(peer.data().Ends(5000, &got));
  });
  EXPECT_EQ(UcxSocketGuard::refused(), refused_before_ + 2);
  ExpectOthersAreServed();
}

}  // namespace
}  // namespace incipit::testing
