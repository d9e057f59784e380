#include "transport/ucx/guard/ucx_connection_check.h"

#include <gtest/gtest.h>

#include "tests/transport/ucx/guard/ucx_traffic.h"

namespace incipit::testing {
namespace {

const TcpAddress kOwn = Ipv4("10.0.0.2", 5000), kPeer = Ipv4("10.0.0.1", 40'000);
const TcpAddress kPeerInterface = Ipv4("10.0.0.1", 6000);

class UcxConnectionCheckTest : public ::testing::Test {
 protected:
  // Connected, by the peer.
  UcxConnectionCheckTest() { EXPECT_TRUE(check_.OnReceived(UcxConnectFrame(kPeerInterface, 3))); }
  UcxConnectionCheck check_{{.accepted = true, .own = kOwn, .peer = kPeer}};
};

bool MayConnect(const Bytes& frame) {
  UcxConnectionCheck check({.accepted = true, .own = kOwn, .peer = kPeer});
  return check.OnReceived(frame);
}

TEST_F(UcxConnectionCheckTest, ConnectsOnceFromItsOwnHostToALookedUpEndpoint) {
  EXPECT_TRUE(MayConnect(UcxConnectFrame(kPeerInterface, 3)));
  EXPECT_FALSE(MayConnect(UcxConnectFrame(kPeerInterface, 0x7f0000001000))) << "a pointer";
  EXPECT_FALSE(MayConnect(UcxConnectFrame(Ipv4("10.0.0.3", 6000), 3))) << "another host's name";
  EXPECT_FALSE(MayConnect(UcxConnectFrame(kPeerInterface, 3, /*flags=*/0))) << "to any endpoint";
  EXPECT_FALSE(MayConnect(UcxMessageFrame(10))) << "without connecting first";
  UcxConnectionCheck higher({.accepted = true, .own = Ipv4("10.0.0.1", 5000), .peer = kPeer});
  EXPECT_FALSE(higher.OnReceived(UcxConnectFrame(kPeerInterface, 3))) << "from the higher address";
  EXPECT_FALSE(check_.OnReceived(UcxConnectFrame(kPeerInterface, 3))) << "a second time";
}

TEST_F(UcxConnectionCheckTest, NothingIsReadBehindTheRequestToConnectWithIt) {
  UcxConnectionCheck check({.accepted = true, .own = kOwn, .peer = kPeer});
  Bytes frame = UcxConnectFrame(kPeerInterface, 3);
  for (size_t at = 0; at < frame.size();) {
    ASSERT_LE(check.MaxReceive(), frame.size() - at);
    EXPECT_TRUE(check.OnReceived(ByteView(frame).subspan(at++, 1)));
  }
  EXPECT_EQ(check.MaxReceive(), SIZE_MAX);
}

TEST_F(UcxConnectionCheckTest, OurMessagesPass) {
  EXPECT_TRUE(check_.OnReceived(UcxMessageFrame(0)));
  EXPECT_TRUE(check_.OnReceived(UcxMessageFrame(32'768)));
  Packed reply = UcxMessageStart().Fill(100 + UcxMessage::kHeaderBytes);
  EXPECT_TRUE(check_.OnReceived(UcxFrameOf(ucx_wire::kMessageReply, Packed(reply).Add(uint64_t{5}).bytes)));
  EXPECT_TRUE(check_.OnReceived(UcxFrameOf(ucx_wire::kKeepalive, {})));
  EXPECT_FALSE(check_.OnReceived(UcxFrameOf(ucx_wire::kMessageReply, Packed(reply).Add(uint64_t{4}).bytes)));
}

TEST_F(UcxConnectionCheckTest, MessagesOfOthersDoNot) {
  const auto refuses = [](const Bytes& frame) {
    UcxConnectionCheck check({.own = kOwn, .peer = kPeer});
    return !check.OnReceived(frame);
  };
  EXPECT_TRUE(refuses(UcxFrameOf(ucx_wire::kMessage, UcxMessageStart(7).Fill(48).bytes))) << "handler";
  EXPECT_TRUE(refuses(UcxFrameOf(ucx_wire::kMessage, UcxMessageStart(28, 4096).Fill(48).bytes))) << "header's size";
  EXPECT_TRUE(refuses(UcxFrameOf(ucx_wire::kMessage, UcxMessageStart().Fill(47).bytes))) << "too short";
  for (const int id : {0, 1, 2, 3, 4, 6, 7, 8, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25, 27, 33, 34, 36, 255}) {
    EXPECT_TRUE(refuses(UcxFrameOf(static_cast<uint8_t>(id), Bytes(20, 1)))) << "frame " << id;
  }
  EXPECT_TRUE(refuses(UcxPutFrame(0x7f0000001000, 64)));
  EXPECT_TRUE(refuses(Packed().Add(ucx_wire::kMessage).Add(uint32_t{(1 << 20) + 1}).bytes))
      << "over the segment's size";
}

TEST_F(UcxConnectionCheckTest, BytesComeOnlyForWhatWasOfferedHereInOrderAndNotTwice) {
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxDataFrame(21, 0, 10))) << "not offered";
  EXPECT_TRUE(check_.OnReceived(UcxStartFrame(11, 1000)));
  check_.OnSent(UcxReadyFrame(11, 21, 1000));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxDataFrame(21, 1, 10))) << "not where the last ended";
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxDataFrame(21, 0, 1001))) << "beyond its end";
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxDataFrame(23, 0, 10))) << "another's";
  EXPECT_TRUE(check_.OnReceived(UcxDataFrame(21, 0, 600)));
  EXPECT_TRUE(check_.OnReceived(UcxDataFrame(21, 600, 400)));
  EXPECT_FALSE(check_.OnReceived(UcxDataFrame(21, 600, 400))) << "all there";
}

TEST_F(UcxConnectionCheckTest, AnswersComeOnlyToWhatWasAnnouncedHereAndOnce) {
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxReadyFrame(31, 41, 1000))) << "not announced";
  check_.OnSent(UcxStartFrame(31, 1000));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxReadyFrame(31, 41, 999, 0x7f0000001000))) << "of another size";
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxReadyFrame(33, 41, 1000))) << "another's";
  EXPECT_TRUE(UcxConnectionCheck(check_).OnReceived(UcxReadyFrame(31, 41, 1000, 0x7f0000001000)));
  Bytes with_key = UcxReadyFrame(31, 41, 1000, 0x7f0000001000);
  with_key.back() = 1;
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(with_key));
  EXPECT_TRUE(check_.OnReceived(UcxReadyFrame(31, 41, 1000)));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxReadyFrame(31, 41, 1000))) << "twice";
  check_.OnSent(UcxStartFrame(33, 1000));
  const Bytes done =
      UcxFrameOf(ucx_wire::kRendezvousDone, Packed().Add(uint64_t{33}).Add(uint8_t{0}).Add(uint64_t{1000}).bytes);
  EXPECT_TRUE(check_.OnReceived(done));
  EXPECT_FALSE(check_.OnReceived(done)) << "twice";
}

TEST_F(UcxConnectionCheckTest, AnnouncementsNameNoAddressAndNoPointer) {
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxStartFrame(11, 1000, 0x7f0000001000)));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxStartFrame(11, 1000, 0, /*kind=*/0)));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxStartFrame(11, UcxMessage::kMaxBytes + 1)));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxStartFrame(11, 0)));
  EXPECT_TRUE(check_.OnReceived(UcxStartFrame(11, 1000)));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxStartFrame(11, 2000))) << "one request, two lengths";
}

TEST_F(UcxConnectionCheckTest, WhetherAllHasComeIsAskedByAPutOfNothingAndAnsweredOnce) {
  const auto answer = [](uint32_t number) { return UcxFrameOf(ucx_wire::kPutDone, Packed().Add(number).bytes); };
  EXPECT_TRUE(check_.OnReceived(UcxPutFrame(0, 0)));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxPutFrame(0, 1)));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(UcxPutFrame(0x7f0000001000, 0)));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(answer(1))) << "nobody asked";
  check_.OnSent(UcxPutFrame(0, 0));
  EXPECT_FALSE(UcxConnectionCheck(check_).OnReceived(answer(2))) << "a question to come";
  EXPECT_TRUE(check_.OnReceived(answer(1)));
  EXPECT_FALSE(check_.OnReceived(answer(1))) << "twice";
}

TEST_F(UcxConnectionCheckTest, NothingComesAfterTheEnd) {
  EXPECT_TRUE(check_.OnReceived(UcxFrameOf(ucx_wire::kConnect, Packed().Add(uint32_t{4}).bytes)));
  EXPECT_FALSE(check_.OnReceived(UcxMessageFrame(1)));
}

}  // namespace
}  // namespace incipit::testing
