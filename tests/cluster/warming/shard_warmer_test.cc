// A node that joins, or whose peer drains, serves what the previous owner has: in virtual time, with faults.
#include "cluster/warming/shard_warmer.h"

#include "tests/cluster/warming/warm_fixture.h"

namespace incipit {
namespace {

using testing::KeyOf;
using wire::BlockStatus;

class ShardWarmerTest : public testing::WarmFixture {
 protected:
  static constexpr NodeState kServing = NodeState::kServing;
  // Node 1 has blocks; node 2 joins. The keys that are node 2's now.
  std::vector<std::vector<uint8_t>> JoinAfterStores(size_t shards = 1) {
    AddNode(1, shards);
    Tell(1, MapOf({{1, kServing}}));
    const auto keys = KeysOf(2, {1, 2}, 60);
    EXPECT_GT(keys.size(), 15u);
    for (size_t shard = 0; shard < shards; ++shard) {
      // A client stores each block at its shard; at the others nobody would find it.
      const auto client = ClientOf(1, static_cast<uint16_t>(shard));
      const wire::Placement placement(members_[1].node->shard(0)->options().identity.placement_seed, 1,
                                      static_cast<uint16_t>(shards));
      const std::vector<uint8_t> framed = FrameNamespace({"default", "model", layout_.Fingerprint()});
      std::vector<std::vector<uint8_t>> mine;
      for (const auto& key : keys) {
        std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
        if (placement.ShardOf(FrameIdentity(framed, 0, 0, key, &buffer)) == shard) mine.push_back(key);
      }
      StoreBlocks(client.get(), mine);
    }
    AddNode(2);
    TellAll({{1, kServing}, {2, kServing}});
    return keys;
  }
};

TEST_F(ShardWarmerTest, AJoinedNodeServesWhatThePreviousOwnerHasAndKeepsIt) {
  const auto keys = JoinAfterStores();
  const auto client = ClientOf(2);
  EXPECT_EQ(Present(MatchAt(client.get(), keys)), keys.size());
  EXPECT_EQ(LoadAt(client.get(), keys), keys.size());
  EXPECT_EQ(CountersOf(2).taken_blocks, keys.size());
  network_.Kill(AddressOf(1));
  EXPECT_EQ(LoadAt(client.get(), keys), keys.size());  // its own now
  EXPECT_EQ(CountersOf(2).taken_blocks, keys.size());
}

TEST_F(ShardWarmerTest, EveryShardOfThePreviousOwnerIsAsked) {
  const auto keys = JoinAfterStores(3);
  const auto client = ClientOf(2);
  EXPECT_EQ(Present(MatchAt(client.get(), keys)), keys.size());
  EXPECT_EQ(LoadAt(client.get(), keys), keys.size());
}

TEST_F(ShardWarmerTest, WhatNobodyHasIsAMissAndNobodyAsksBack) {
  JoinAfterStores();
  const auto keys = KeysOf(2, {1, 2}, 2000);
  const std::vector<std::vector<uint8_t>> absent(keys.end() - 30, keys.end());
  const auto client = ClientOf(2);
  EXPECT_EQ(Present(MatchAt(client.get(), absent)), 0u);
  EXPECT_EQ(LoadAt(client.get(), absent), 0u);
  EXPECT_EQ(CountersOf(2).asked_keys, absent.size());
  // Node 1 knows from the map that these are node 2's, and yet a peer's question ends with it.
  EXPECT_EQ(CountersOf(1).asked_keys, 0u);
  EXPECT_EQ(CountersOf(1).wanted_blocks, 0u);
}

TEST_F(ShardWarmerTest, AClientWithAnotherMapIsServedToo) {
  const auto keys = JoinAfterStores();
  const auto of_two = ClientOf(2);
  const auto fresh = KeysOf(2, {1, 2}, 90);
  const std::vector<std::vector<uint8_t>> stored(fresh.end() - 5, fresh.end());
  StoreBlocks(of_two.get(), stored);
  const auto of_one = ClientOf(1);  // whose client has not heard of node 2
  EXPECT_EQ(LoadAt(of_one.get(), stored), stored.size());
}

TEST_F(ShardWarmerTest, AfterItsTimeThePreviousOwnerIsNotAskedAnyMore) {
  const auto keys = JoinAfterStores();
  loop_.RunUntil(loop_.NowNs() + 61 * kSecondNs);
  const auto client = ClientOf(2);
  EXPECT_EQ(Present(MatchAt(client.get(), keys)), 0u);
  EXPECT_EQ(LoadAt(client.get(), keys), 0u);
  EXPECT_EQ(CountersOf(2).asked_keys, 0u);
}

TEST_F(ShardWarmerTest, ADrainingNodeIsAskedForAsLongAsItIsThere) {
  AddNode(1);
  AddNode(2);
  TellAll({{1, kServing}, {2, kServing}});
  const auto keys = KeysOf(1, {1, 2}, 60);
  StoreBlocks(ClientOf(1).get(), keys);
  TellAll({{1, NodeState::kDraining}, {2, kServing}});
  loop_.RunUntil(loop_.NowNs() + 1000 * kSecondNs);  // longer than anything is remembered
  const auto client = ClientOf(2);
  EXPECT_EQ(Present(MatchAt(client.get(), keys)), keys.size());
  EXPECT_EQ(LoadAt(client.get(), keys), keys.size());
}

TEST_F(ShardWarmerTest, ADeadPreviousOwnerSlowsNobody) {
  const auto keys = JoinAfterStores();
  network_.Kill(AddressOf(1));
  const auto client = ClientOf(2);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Present(MatchAt(client.get(), keys)), 0u);
  EXPECT_GT(CountersOf(2).held_back, 10 * keys.size());
  EXPECT_LE(CountersOf(2).failures, 5u);
}

TEST_F(ShardWarmerTest, AFrozenPreviousOwnerCostsABoundedTimeAFewTimes) {
  const auto keys = JoinAfterStores();
  const auto client = ClientOf(2);
  EXPECT_EQ(LoadAt(client.get(), {keys[0]}), 1u);  // so there is a connection
  network_.Freeze(AddressOf(1), true);
  const int64_t match_ns = int64_t{options_.limits.peer_match_ms} * 1'000'000;
  const int64_t begin_ns = loop_.NowNs();
  MatchAt(client.get(), keys);
  EXPECT_LE(loop_.NowNs() - begin_ns, match_ns + 10'000'000);
  for (int i = 0; i < 10; ++i) MatchAt(client.get(), keys);
  EXPECT_LE(loop_.NowNs() - begin_ns, 4 * match_ns);
  network_.Freeze(AddressOf(1), false);
  loop_.RunUntil(loop_.NowNs() + 20 * kSecondNs);
  MatchAt(client.get(), keys);  // the one that is let through to see
  EXPECT_EQ(Present(MatchAt(client.get(), keys)), keys.size());
}

TEST_F(ShardWarmerTest, ALoadNeverTakesLongerThanItsDeadline) {
  const auto keys = JoinAfterStores();
  const auto client = ClientOf(2);
  EXPECT_EQ(LoadAt(client.get(), {keys[0]}), 1u);
  network_.Freeze(AddressOf(1), true);
  const int64_t begin_ns = loop_.NowNs();
  EXPECT_EQ(LoadAt(client.get(), {keys.begin() + 1, keys.end()}, /*deadline_ms=*/300), 0u);
  EXPECT_LE(loop_.NowNs() - begin_ns, 300'000'000);
  network_.Freeze(AddressOf(1), false);
}

TEST_F(ShardWarmerTest, WhoeverWantsABlockThatIsOnItsWayWaitsForIt) {
  const auto keys = JoinAfterStores();
  const auto one = ClientOf(2), other = ClientOf(2);
  std::vector<uint8_t> meta;
  LoadOf(keys).Encode(&meta);
  ASSERT_TRUE(one->SendFrame(wire::FrameType::kLoad, 5, meta).ok());
  EXPECT_EQ(LoadAt(other.get(), keys), keys.size());
  auto answer = one->Receive();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->payload.size(), keys.size() * layout_.groups[0].BlockBytes());
  EXPECT_EQ(CountersOf(2).taken_blocks, keys.size());
  EXPECT_EQ(CountersOf(2).taken_bytes, keys.size() * layout_.groups[0].BlockBytes());
}

TEST_F(ShardWarmerTest, ABadNetworkCostsHitsAndNeverBytes) {
  const auto keys = JoinAfterStores();
  for (int round = 1; round <= 20; ++round) {
    SCOPED_TRACE(::testing::Message() << "round " << round << " of the generator of seed 1");
    std::vector<std::unique_ptr<testing::WireClient>> clients;
    for (size_t i = 0; i < keys.size(); ++i) clients.push_back(ClientOf(2));
    network_.set_faults({.cut_per_mille = 10, .flip_per_mille = 30, .partial_per_mille = 300});
    for (size_t i = 0; i < keys.size(); ++i) {  // what comes back to these clients is damaged too, and not looked at
      const std::vector<std::vector<uint8_t>> one = {keys[i]};
      std::vector<uint8_t> meta;
      LoadOf(one).Encode(&meta);
      if (clients[i]->SendFrame(wire::FrameType::kLoad, 5, meta).ok()) static_cast<void>(clients[i]->Receive());
    }
    network_.set_faults({});
    loop_.RunUntil(loop_.NowNs() + 2 * kSecondNs);
    clients.clear();
  }
  EXPECT_GT(CountersOf(2).failures, 0u);
  EXPECT_EQ(LoadAt(ClientOf(2).get(), keys), keys.size());
}

TEST_F(ShardWarmerTest, OnlyATenantWithTheRolePeerIsAPeer) {
  const auto tenants = testing::MakeTable({testing::MakeTenant("default"), testing::MakeTenant("nodes", Role::kPeer)});
  for (const bool has_role : {true, false}) {
    const uint64_t old_id = has_role ? 1 : 3, new_id = has_role ? 2 : 4;
    PeerSettings settings{.tenant = has_role ? "nodes" : "default"};
    settings.key = std::make_shared<const TenantKey>(testing::KeyOfTenant(settings.tenant));
    AddNode(old_id, 1, tenants);
    AddNode(new_id, 1, tenants, settings);
    const auto connect = [&](uint64_t id) {
      auto client = std::make_unique<testing::WireClient>(&loop_, &network_, AddressOf(id));
      EXPECT_TRUE(testing::HandCredentials(client.get(), "default", 0).Prove(testing::KeyOfTenant("default")).ok());
      EXPECT_TRUE(client->Open(layout_).ok());
      return client;
    };
    const auto keys = KeysOf(new_id, {old_id, new_id}, 40);
    StoreBlocks(connect(old_id).get(), keys);
    const auto map = MapOf({{old_id, kServing}, {new_id, kServing}});
    Tell(old_id, map);
    Tell(new_id, map);
    const auto client = connect(new_id);
    EXPECT_EQ(Present(MatchAt(client.get(), keys)), has_role ? keys.size() : 0u);
    EXPECT_EQ(LoadAt(client.get(), keys), has_role ? keys.size() : 0u);
  }
}

}  // namespace
}  // namespace incipit
