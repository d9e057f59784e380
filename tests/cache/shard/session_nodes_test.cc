// Peer and Drain as a shard sees them, frame by frame.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/shard/node_control.h"
#include "tests/cache/shard/session_fixture.h"
#include "tests/support/tenants.h"
#include "transport/wire/node_messages.h"

namespace incipit {
namespace {

using testing::HandCredentials;
using ::testing::HasSubstr;
using testing::KeyOf;
using testing::KeyOfTenant;
using testing::MakeTable;
using testing::MakeTenant;
using testing::WireClient;
using wire::FrameType;

class FakeControl : public NodeControl {
 public:
  absl::StatusOr<wire::DrainReply> Drain(const wire::Drain& request) override {
    asked.push_back(request);
    return answer;
  }
  std::vector<wire::Drain> asked;
  absl::StatusOr<wire::DrainReply> answer = wire::DrainReply{.state = wire::DrainState::kMoving, .elapsed_ms = 5};
};

class SessionNodesTest : public testing::SessionFixture {
 protected:
  std::unique_ptr<WireClient> ConnectWith(uint64_t features) {
    auto client = std::make_unique<WireClient>(&loop_, &network_, "node");
    wire::Hello hello;
    hello.features = features;
    hello.tenant = "default";
    EXPECT_TRUE(client->Call(FrameType::kHello, hello).ok());
    return client;
  }
  template <typename Message>
  absl::Status Say(WireClient* client, FrameType type, const Message& message) {
    auto answer = client->Call(type, message);
    return answer.ok() ? WireClient::ErrorOf(*answer) : answer.status();
  }
  std::unique_ptr<WireClient> ConnectAs(const std::string& tenant) {
    auto client = std::make_unique<WireClient>(&loop_, &network_, "node");
    HandCredentials credentials(client.get(), tenant, 0);
    credentials.hello.features |= wire::kFeatureNodes;
    EXPECT_TRUE(credentials.Prove(KeyOfTenant(tenant)).ok());
    return client;
  }
  absl::Status OpenShared(WireClient* client, const std::string& owner) {
    return Say(client, FrameType::kOpenShared,
               wire::OpenShared{.owner = owner, .model = "model", .layout = layout_.Encode()});
  }
};

TEST_F(SessionNodesTest, PeerNeedsTheFeatureAndComesOnceAndFirst) {
  Start();
  EXPECT_THAT(Say(ConnectWith(0).get(), FrameType::kPeer, wire::Peer{1, 0}).message(), HasSubstr("bit 4"));
  const auto client = ConnectWith(wire::kFeatureNodes);
  EXPECT_TRUE(Say(client.get(), FrameType::kPeer, wire::Peer{1, 0}).ok());
  EXPECT_FALSE(Say(client.get(), FrameType::kPeer, wire::Peer{1, 0}).ok());
  const auto late = ConnectWith(wire::kFeatureNodes);
  EXPECT_TRUE(late->Open(layout_).ok());
  EXPECT_FALSE(Say(late.get(), FrameType::kPeer, wire::Peer{1, 0}).ok());
  EXPECT_TRUE(StillServes(late.get()));
}

TEST_F(SessionNodesTest, APeerOpensTheNamespacesOfAll) {
  Start();
  const auto client = ConnectWith(wire::kFeatureNodes);
  EXPECT_TRUE(absl::IsPermissionDenied(OpenShared(client.get(), "other")));
  EXPECT_TRUE(Say(client.get(), FrameType::kPeer, wire::Peer{1, 0}).ok());
  EXPECT_TRUE(OpenShared(client.get(), "other").ok());
}

TEST_F(SessionNodesTest, WithTenantsTheRolePeerIsNeededAndIsNoOther) {
  ASSERT_TRUE(node_
                  .Start(options_, {nullptr},
                         MakeTable({MakeTenant("default"), MakeTenant("nodes", Role::kPeer),
                                    MakeTenant("boss", Role::kRead | Role::kWrite | Role::kAdmin)}))
                  .ok());
  for (const char* tenant : {"default", "boss"}) {
    const auto client = ConnectAs(tenant);
    EXPECT_TRUE(absl::IsPermissionDenied(Say(client.get(), FrameType::kPeer, wire::Peer{1, 0}))) << tenant;
  }
  const auto peer = ConnectAs("nodes");
  EXPECT_TRUE(absl::IsPermissionDenied(OpenShared(peer.get(), "default")));
  EXPECT_TRUE(Say(peer.get(), FrameType::kPeer, wire::Peer{1, 0}).ok());
  EXPECT_TRUE(OpenShared(peer.get(), "default").ok());
  // The role is taken away while it is connected.
  node_.SetTenants(MakeTable({MakeTenant("default"), MakeTenant("nodes", Role::kRead)}));
  const std::vector<std::vector<uint8_t>> keys = {KeyOf(1)};
  EXPECT_TRUE(absl::IsPermissionDenied(Say(peer.get(), FrameType::kLoad, LoadOf(keys))));
}

TEST_F(SessionNodesTest, APeersMatchAndLoadAreNoneOfAClient) {
  Start();
  StoreBlocks(Connect().get(), {KeyOf(1)});
  const auto client = ConnectWith(wire::kFeatureNodes);
  EXPECT_TRUE(Say(client.get(), FrameType::kPeer, wire::Peer{1, 0}).ok());
  EXPECT_TRUE(OpenShared(client.get(), "default").ok());
  const std::vector<uint8_t> here = KeyOf(1), absent = KeyOf(2);
  auto answer = client->Call(FrameType::kMatch, wire::Match{.keys = {{0, 0, 0, here}, {0, 0, 16, absent}}});
  const auto reply = wire::MatchReply::Decode(answer->meta);
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->presence, (std::vector<wire::Presence>{wire::Presence::kRam, wire::Presence::kMiss}));
  EXPECT_EQ(node_.shard(0)->counters()->match_keys, 0u);
  ASSERT_TRUE(client->Call(FrameType::kLoad, wire::Load{.keys = {{0, 0, 0, here}}}).ok());
  EXPECT_EQ(node_.shard(0)->counters()->load_hits_ram, 1u);
  EXPECT_EQ(node_.shard(0)->store()->namespaces().At(0).traffic.load_bytes, 0u);
}

TEST_F(SessionNodesTest, StampsOfPeersMayBeOldAndThoseOfClientsNot) {
  Start();
  loop_.RunUntil(loop_.NowNs() + 1'000'000'000);
  const auto old_ns = static_cast<uint64_t>(loop_.WallNs()) - 3'600'000'000'000ull;
  for (const bool is_peer : {true, false}) {
    const auto client = ConnectWith(wire::kFeatureNodes);
    if (is_peer) {
      EXPECT_TRUE(Say(client.get(), FrameType::kPeer, wire::Peer{1, 0}).ok());
    }
    EXPECT_TRUE(OpenShared(client.get(), "default").ok());
    const std::vector<std::vector<uint8_t>> keys = {KeyOf(is_peer ? 1 : 2)};
    std::vector<uint8_t> payload;
    wire::Store store = StoreOf(keys, &payload);
    store.stamp_ns = old_ns;
    ASSERT_TRUE(client->Call(FrameType::kStore, store, payload).ok());
    BlockStore* blocks = node_.shard(0)->store();
    const BlockId id = blocks->Find(0, {0, 0, 0, keys[0]});
    ASSERT_NE(id, kNoBlock);
    EXPECT_EQ(blocks->StampOf(id) == old_ns, is_peer);
  }
}

TEST_F(SessionNodesTest, ANodeThatGivesItsBlocksAwayTakesNone) {
  Start();
  const auto client = Connect();
  StoreBlocks(client.get(), {KeyOf(1)});
  node_.shard(0)->set_takes_stores(false);
  EXPECT_EQ(StoreBlocks(client.get(), {KeyOf(1), KeyOf(2)}),
            (std::vector<wire::BlockStatus>{wire::BlockStatus::kPresent, wire::BlockStatus::kBusy}));
  const std::vector<uint8_t> here = KeyOf(1), fresh = KeyOf(2);
  auto answer = client->Call(FrameType::kOffer, wire::Offer{.keys = {{0, 0, 0, here}, {0, 0, 16, fresh}}});
  EXPECT_EQ(wire::StatusReply::Decode(answer->meta)->statuses,
            (std::vector<wire::BlockStatus>{wire::BlockStatus::kPresent, wire::BlockStatus::kBusy}));
}

TEST_F(SessionNodesTest, ADrainIsForTheNodeToControl) {
  Start();
  const auto client = ConnectWith(wire::kFeatureNodes);
  const wire::Drain begin{wire::DrainAction::kBegin, false, 1000, 7};
  EXPECT_TRUE(absl::IsFailedPrecondition(Say(client.get(), FrameType::kDrain, begin)));
  const auto control = std::make_shared<FakeControl>();
  node_.shard(0)->set_control(control);
  auto answer = client->Call(FrameType::kDrain, begin);
  ASSERT_EQ(answer->header.type, FrameType::kDrainReply);
  EXPECT_EQ(wire::DrainReply::Decode(answer->meta)->state, wire::DrainState::kMoving);
  ASSERT_EQ(control->asked.size(), 1u);
  EXPECT_EQ(control->asked[0].bytes_per_s, 7u);
  control->answer = absl::FailedPreconditionError("no");
  EXPECT_THAT(Say(client.get(), FrameType::kDrain, begin).message(), HasSubstr("no"));
  EXPECT_FALSE(Say(ConnectWith(0).get(), FrameType::kDrain, begin).ok());
  EXPECT_EQ(control->asked.size(), 2u);
}

TEST_F(SessionNodesTest, WithTenantsADrainNeedsTheRoleAdmin) {
  ASSERT_TRUE(node_
                  .Start(options_, {nullptr},
                         MakeTable({MakeTenant("default"), MakeTenant("nodes", Role::kPeer),
                                    MakeTenant("boss", Role::kRead | Role::kAdmin)}))
                  .ok());
  const auto control = std::make_shared<FakeControl>();
  node_.shard(0)->set_control(control);
  for (const char* tenant : {"default", "nodes"}) {
    EXPECT_TRUE(absl::IsPermissionDenied(Say(ConnectAs(tenant).get(), FrameType::kDrain, wire::Drain{}))) << tenant;
  }
  EXPECT_TRUE(control->asked.empty());
  EXPECT_TRUE(Say(ConnectAs("boss").get(), FrameType::kDrain, wire::Drain{}).ok());
}

}  // namespace
}  // namespace incipit
