// What a shard does on every lane about peers that do not keep to the protocol, while others are served.
#include "tests/conformance/conformance_test_base.h"
#include "tests/conformance/raw_peer.h"

namespace incipit::conformance {
namespace {

using ::testing::Each;

class LanePeers : public ConformanceTest {
 protected:
  // One that behaves, before and after whatever the others do.
  void StartWithBlocks() {
    StartNode();
    good_ = Connect();
    blocks_ = MakeBlocks(0, 24);
    EXPECT_THAT(Store(good_, blocks_), Each(BlockStatus::kOk));
  }
  void ExpectGoodOneIsServed() { EXPECT_THAT(Load(good_, blocks_), Each(BlockStatus::kOk)); }
  std::vector<uint8_t> PingFrame() {
    wire::FrameHeader header{.type = wire::FrameType::kPing, .request_id = 9};
    const auto bytes = header.Encode({});
    return {bytes.begin(), bytes.end()};
  }

  TestClient* good_ = nullptr;
  Blocks blocks_;
};
INCIPIT_ON_EVERY_LANE(LanePeers);

TEST_P(LanePeers, FramesCutShortByTheEndOfTheConnection) {
  StartWithBlocks();
  for (const size_t bytes : {1u, 8u, 47u}) {
    RawPeer peer(lane_.get());
    peer.Greet(layout_);
    ASSERT_TRUE(peer.SendBytes(ByteView(PingFrame()).first(bytes)).ok());
    peer.channel()->Close();
  }
  EXPECT_TRUE(lane_->RunUntil([&] { return node_.shard()->Report().sessions == 1; }));
  ExpectGoodOneIsServed();
  ExpectNothingLeaked();
}

TEST_P(LanePeers, UnfinishedFramesAreCutOff) {
  options_.limits.client_stall_ms = 100;
  StartWithBlocks();
  RawPeer peer(lane_.get());
  peer.Greet(layout_);
  ASSERT_TRUE(peer.SendBytes(ByteView(PingFrame()).first(20)).ok());
  EXPECT_TRUE(peer.IsCutOff());
  ExpectGoodOneIsServed();
  EXPECT_EQ(node_.shard()->Report().requests.sessions_stalled, 1u);
}

TEST_P(LanePeers, BytesThatAreNoFramesAreCutOff) {
  StartWithBlocks();
  RawPeer peer(lane_.get());
  peer.Greet(layout_);
  const std::vector<uint8_t> garbage(4096, 0x5a);
  ASSERT_TRUE(peer.SendBytes(garbage).ok());
  EXPECT_TRUE(peer.IsCutOff());
  ExpectGoodOneIsServed();
  EXPECT_EQ(node_.shard()->Report().requests.protocol_errors, 1u);
}

TEST_P(LanePeers, MessagesThatMakeNoSenseAreAnsweredAndTheConnectionGoesOn) {
  StartWithBlocks();
  RawPeer peer(lane_.get());
  peer.Greet(layout_);
  ASSERT_TRUE(peer.Send(wire::FrameType::kLoad, 3, std::vector<uint8_t>(30, 0xff)).ok());
  ASSERT_TRUE(peer.Send(wire::FrameType::kMatch, 4, std::vector<uint8_t>(3, 0)).ok());
  for (const uint64_t id : {3, 4}) {
    const auto answer = peer.Receive();
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->type, wire::FrameType::kError);
    EXPECT_EQ(answer->request_id, id);
  }
  ASSERT_TRUE(peer.SendBytes(PingFrame()).ok());
  EXPECT_EQ(peer.Receive()->type, wire::FrameType::kPong);
  ExpectGoodOneIsServed();
}

TEST_P(LanePeers, WhoTakesNothingIsCutOffAndHoldsNothing) {
  options_.limits.client_stall_ms = 200;
  StartWithBlocks();
  RawPeer peer(lane_.get());
  peer.Greet(layout_);
  wire::Load load;
  for (int i = 0; i < 40; ++i) {
    for (const auto& key : blocks_.keys) load.keys.push_back({.key = key});
  }
  ASSERT_TRUE(peer.Send(wire::FrameType::kLoad, 3, load).ok());  // 240 MiB, and nobody reads
  EXPECT_TRUE(lane_->RunUntil([&] { return node_.shard()->Report().requests.sessions_stalled == 1; }));
  EXPECT_TRUE(lane_->RunUntil([&] { return node_.shard()->Report().sessions == 1; }));
  ExpectGoodOneIsServed();
  ExpectNothingLeaked();
}

TEST_P(LanePeers, TooManyConnectionsAreRefused) {
  options_.limits.max_sessions = 3;
  StartWithBlocks();
  RawPeer second(lane_.get()), third(lane_.get()), fourth(lane_.get());
  second.Greet(layout_);
  third.Greet(layout_);
  wire::Hello hello;
  hello.tenant = "default";
  ASSERT_TRUE(fourth.Send(wire::FrameType::kHello, 1, hello).ok());
  const auto answer = fourth.Receive();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->type, wire::FrameType::kError);
  ExpectGoodOneIsServed();
}

// Flags, types and regions of shared memory that this connection has not agreed on.
TEST_P(LanePeers, SharedMemoryWithoutAgreementIsRefused) {
  StartWithBlocks();
  RawPeer peer(lane_.get());
  peer.Greet(layout_);
  wire::RegisterRegion region{.region_id = 1, .bytes = 4096};
  ASSERT_TRUE(peer.Send(wire::FrameType::kRegisterRegion, 3, region).ok());
  EXPECT_EQ(peer.Receive()->type, wire::FrameType::kError);
  std::vector<uint8_t> meta;
  wire::SharedPlaces{.slot = 0, .pieces = {{1, 4096, 0}}}.Encode(&meta);
  wire::Load load;
  load.keys.push_back({.key = blocks_.keys[0]});
  load.Encode(&meta);
  const wire::FrameHeader header{.type = wire::FrameType::kLoad, .flags = wire::kFrameFlagShared, .request_id = 4};
  ASSERT_TRUE(lane_->Run(peer.channel()->Send(header, meta, {})).ok());
  EXPECT_EQ(peer.Receive()->type, wire::FrameType::kError);
  ExpectGoodOneIsServed();
}

}  // namespace
}  // namespace incipit::conformance
