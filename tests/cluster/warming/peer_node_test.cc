// Over which lane a node is asked, where it is there on two: in virtual time, with a lane that fails.
#include "cluster/warming/peer_node.h"

#include "tests/cluster/warming/warm_fixture.h"
#include "tests/support/lane_switch.h"

namespace incipit {
namespace {

using testing::LaneSwitch;
using Ucx = LaneSwitch::Ucx;

class PeerNodeTest : public testing::WarmFixture {
 protected:
  static constexpr NodeState kServing = NodeState::kServing;
  ~PeerNodeTest() override {  // they use lanes_
    for (auto& [id, member] : members_) member.node->Stop();
    members_.clear();
  }
  std::unique_ptr<Connector> MakeConnector(uint64_t id) override {
    return std::make_unique<testing::SwitchedConnector>(WarmFixture::MakeConnector(id), &loop_, &lanes_);
  }
  std::vector<std::string> AddressesOf(uint64_t id) const override {
    std::vector<std::string> addresses = WarmFixture::AddressesOf(id);
    if (has_ucx_) addresses.push_back("ucx" + addresses[0].substr(3));
    return addresses;
  }
  // Node 1 has blocks, and node 2 joins. The keys that are node 2's now.
  std::vector<std::vector<uint8_t>> JoinAfterStores() {
    AddNode(1);
    Tell(1, MapOf({{1, kServing}}));
    const auto keys = KeysOf(2, {1, 2}, 60);
    StoreBlocks(ClientOf(1).get(), keys);
    AddNode(2, 1, nullptr, settings_);
    TellAll({{1, kServing}, {2, kServing}});
    return keys;
  }
  PeerCounters::LaneBytes BytesBy(LaneKind kind) { return CountersOf(2).lane(kind); }
  void Pass(int64_t seconds) { loop_.RunUntil(loop_.NowNs() + seconds * kSecondNs); }

  LaneSwitch lanes_{&loop_};
  PeerSettings settings_{.lanes = {"ucx", "tcp"}, .lane_retry_ms = 30'000};
  bool has_ucx_ = true;
};

TEST_F(PeerNodeTest, WhatBothHaveIsTaken) {
  const auto keys = JoinAfterStores();
  const auto client = ClientOf(2);
  EXPECT_EQ(Present(MatchAt(client.get(), keys)), keys.size());
  EXPECT_EQ(LoadAt(client.get(), keys), keys.size());
  EXPECT_EQ(lanes_.tcp_made, 0u);
  EXPECT_GE(BytesBy(LaneKind::kUcx).received, keys.size() * layout_.groups[0].BlockBytes());
  EXPECT_GT(BytesBy(LaneKind::kUcx).sent, 0u);
  EXPECT_EQ(BytesBy(LaneKind::kTcp).received, 0u);
  EXPECT_EQ(CountersOf(2).lane_failures, 0u);
}

TEST_F(PeerNodeTest, ANodeWithoutTheLaneIsAskedOverTheOther) {
  has_ucx_ = false;
  const auto keys = JoinAfterStores();
  EXPECT_EQ(LoadAt(ClientOf(2).get(), keys), keys.size());
  EXPECT_EQ(lanes_.ucx_tried, 0u);
  EXPECT_GE(BytesBy(LaneKind::kTcp).received, keys.size() * layout_.groups[0].BlockBytes());
}

TEST_F(PeerNodeTest, WithoutALaneInCommonNobodyIsAsked) {
  has_ucx_ = false;
  settings_.lanes = {"ucx"};
  const auto keys = JoinAfterStores();
  EXPECT_EQ(Present(MatchAt(ClientOf(2).get(), keys)), 0u);
  EXPECT_EQ(LoadAt(ClientOf(2).get(), keys), 0u);
  EXPECT_GE(CountersOf(2).held_back, keys.size());
  EXPECT_EQ(lanes_.tcp_made, 0u);
  has_ucx_ = true;  // a later map has the address
  TellAll({{1, kServing}, {2, kServing}});
  EXPECT_EQ(LoadAt(ClientOf(2).get(), keys), keys.size());
}

TEST_F(PeerNodeTest, ALaneThatRefusesCostsNothingButOneTry) {
  lanes_.Set(Ucx::kRefuses);
  const auto keys = JoinAfterStores();
  const auto client = ClientOf(2);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Present(MatchAt(client.get(), keys)), keys.size());
  EXPECT_EQ(LoadAt(client.get(), keys), keys.size());
  EXPECT_EQ(lanes_.ucx_tried, 1u);
  EXPECT_EQ(CountersOf(2).lane_failures, 1u);
  EXPECT_EQ(CountersOf(2).failures, 0u) << "the node itself answers";
  EXPECT_EQ(BytesBy(LaneKind::kUcx).received, 0u);
}

TEST_F(PeerNodeTest, ASilentLaneLeavesTimeForTheOther) {
  lanes_.Set(Ucx::kSilent);
  const auto keys = JoinAfterStores();
  const auto client = ClientOf(2);
  const int64_t match_ns = int64_t{options_.limits.peer_match_ms} * 1'000'000;
  for (uint64_t i = 1; i <= 3; ++i) {
    const int64_t begin_ns = loop_.NowNs();
    EXPECT_EQ(Present(MatchAt(client.get(), keys)), keys.size());
    EXPECT_LE(loop_.NowNs() - begin_ns, match_ns);
    EXPECT_EQ(lanes_.ucx_tried, i) << "once a question";
    Pass(2);
  }
  const int64_t begin_ns = loop_.NowNs();
  EXPECT_EQ(Present(MatchAt(client.get(), keys)), keys.size());
  EXPECT_LT(loop_.NowNs() - begin_ns, match_ns / 4) << "it was left";
  EXPECT_EQ(lanes_.ucx_tried, 3u);
}

TEST_F(PeerNodeTest, ALaneThatWorksAgainIsTakenAgainByAll) {
  lanes_.Set(Ucx::kRefuses);
  const auto keys = JoinAfterStores();
  const auto client = ClientOf(2);
  EXPECT_EQ(LoadAt(client.get(), {keys[0], keys[1]}), 2u);
  lanes_.Set(Ucx::kWorks);
  EXPECT_EQ(LoadAt(client.get(), {keys[2], keys[3]}), 2u);
  EXPECT_EQ(lanes_.ucx_made, 0u) << "not yet";
  Pass(31);
  EXPECT_EQ(LoadAt(client.get(), {keys[4], keys[5]}), 2u);
  const uint64_t by_tcp = BytesBy(LaneKind::kTcp).received;
  EXPECT_EQ(LoadAt(client.get(), {keys.begin() + 6, keys.end()}), keys.size() - 6);
  EXPECT_EQ(lanes_.ucx_made, 1u);
  EXPECT_EQ(BytesBy(LaneKind::kTcp).received, by_tcp) << "connections over tcp are not used any more";
}

TEST_F(PeerNodeTest, ALaneThatConnectsAndCarriesNothingIsLeftToo) {
  const auto keys = JoinAfterStores();
  const auto client = ClientOf(2);
  EXPECT_EQ(LoadAt(client.get(), {keys[0]}), 1u);
  lanes_.Stall(true);
  for (int i = 0; i < 6; ++i) {
    Pass(9);  // longer than the node is held back for its failures
    MatchAt(client.get(), keys);
  }
  EXPECT_EQ(Present(MatchAt(client.get(), keys)), keys.size());
  EXPECT_GT(lanes_.tcp_made, 0u);
  EXPECT_GE(CountersOf(2).lane_failures, 3u);
}

TEST_F(PeerNodeTest, ADeadNodeIsDeadOnAllLanes) {
  const auto keys = JoinAfterStores();
  const auto client = ClientOf(2);
  EXPECT_EQ(LoadAt(client.get(), {keys[0]}), 1u);
  network_.Kill(AddressOf(1));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Present(MatchAt(client.get(), keys)), 1u);
  EXPECT_GT(CountersOf(2).held_back, 10 * (keys.size() - 1));
  EXPECT_LE(CountersOf(2).failures, 5u);
}

TEST_F(PeerNodeTest, ARefusalOfCredentialsIsNotTheLanes) {
  const auto tenants = testing::MakeTable({testing::MakeTenant("default"), testing::MakeTenant("nodes", Role::kPeer)});
  settings_.tenant = "default";  // who proves it, and is no peer
  settings_.key = std::make_shared<const TenantKey>(testing::KeyOfTenant("default"));
  AddNode(1, 1, tenants);
  AddNode(2, 1, nullptr, settings_);
  TellAll({{1, kServing}, {2, kServing}});
  const auto keys = KeysOf(2, {1, 2}, 20);
  EXPECT_EQ(LoadAt(ClientOf(2).get(), keys), 0u);
  EXPECT_GT(CountersOf(2).failures, 0u);
  EXPECT_EQ(CountersOf(2).lane_failures, 0u);
  EXPECT_EQ(lanes_.tcp_made, 0u) << "another lane gives no other answer";
}

}  // namespace
}  // namespace incipit
