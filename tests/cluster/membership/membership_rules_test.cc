#include "cluster/membership/membership_rules.h"

#include <gtest/gtest.h>

#include "tests/support/cluster_maps.h"
#include "tests/support/map_keeper_model.h"

namespace incipit {
namespace {

using testing::MapKeeperModel;
using testing::SampleClusterNode;

constexpr uint32_t kLeaseMs = 3000;

// One member, with its own keeper of the map, both driven by hand.
class Member {
 public:
  explicit Member(std::optional<ClusterNode> self) : rules(std::move(self), kLeaseMs, random_.get()) {}

  // Makes and answers all calls that are due; the calls made.
  std::vector<MemberCall> Settle(MapKeeperModel* keeper, int64_t now_ms, NodeState wanted = NodeState::kServing) {
    std::vector<MemberCall> calls;
    while (calls.size() < 10) {
      const MemberCall call = rules.Next(now_ms, wanted);
      if (call == MemberCall::kNone) break;
      calls.push_back(call);
      EXPECT_TRUE(rules.Handle(call, Ask(keeper, call, now_ms), now_ms).ok());
    }
    return calls;
  }
  absl::StatusOr<MapAnswer> Ask(MapKeeperModel* keeper, MemberCall call, int64_t now_ms) {
    const ClusterNode self = rules.Caller().id == 0 ? ClusterNode() : rules.self();
    return keeper->Run(call, rules.Caller(), self, rules.seed(), now_ms * 1000);
  }

 private:
  std::unique_ptr<Random> random_ = MakeSeededRandom(1);

 public:
  MembershipRules rules;
};

using Calls = std::vector<MemberCall>;

TEST(MembershipRules, ANodeJoinsAndThenOnlyRenews) {
  MapKeeperModel keeper;
  Member one(SampleClusterNode(1));
  one.rules.OnConnected(0);
  EXPECT_EQ(one.Settle(&keeper, 0), Calls{MemberCall::kJoin});
  EXPECT_TRUE(one.rules.joined());
  ASSERT_NE(one.rules.map(), nullptr);
  EXPECT_EQ(one.rules.map()->Find(1)->state, NodeState::kServing);
  EXPECT_GT(one.rules.DueAtMs(), kLeaseMs / 4);
  EXPECT_LE(one.rules.DueAtMs(), kLeaseMs / 3);
  EXPECT_EQ(one.Settle(&keeper, one.rules.DueAtMs()), Calls{MemberCall::kRenew});
}

TEST(MembershipRules, AFollowerOnlyFetches) {
  MapKeeperModel keeper;
  Member one(SampleClusterNode(1)), follower(std::nullopt);
  one.rules.OnConnected(0);
  follower.rules.OnConnected(0);
  EXPECT_EQ(follower.Settle(&keeper, 0), Calls{MemberCall::kFetch}) << "no cluster yet";
  one.Settle(&keeper, 10);
  EXPECT_EQ(follower.Settle(&keeper, follower.rules.DueAtMs()), Calls{MemberCall::kFetch});
  EXPECT_EQ(*follower.rules.map(), *one.rules.map());
}

TEST(MembershipRules, NewsOfAHigherEpochIsFetchedAndOtherNewsIsNot) {
  MapKeeperModel keeper;
  Member one(SampleClusterNode(1)), two(SampleClusterNode(2));
  one.Settle(&keeper, 0);
  two.Settle(&keeper, 0);
  one.rules.OnNews(one.rules.map()->epoch);
  EXPECT_EQ(one.Settle(&keeper, 1), Calls{});
  one.rules.OnNews(two.rules.map()->epoch);
  EXPECT_EQ(one.Settle(&keeper, 1), Calls{MemberCall::kFetch});
  EXPECT_EQ(LiveNodesOf(*one.rules.map()), 2u);
  one.rules.OnNews(std::nullopt);
  EXPECT_EQ(one.Settle(&keeper, 1), Calls{MemberCall::kFetch}) << "not understood: look";
}

TEST(MembershipRules, AStateWhoseCallWasLostIsToldAgain) {
  MapKeeperModel keeper;
  Member one(SampleClusterNode(1));
  one.Settle(&keeper, 0, NodeState::kJoining);
  ASSERT_EQ(one.rules.Next(1, NodeState::kServing), MemberCall::kSetState);
  EXPECT_FALSE(one.rules.Handle(MemberCall::kSetState, absl::UnavailableError("lost"), 1).ok());
  one.rules.OnConnected(2);
  EXPECT_EQ(one.Settle(&keeper, 2).front(), MemberCall::kSetState);
  EXPECT_EQ(one.rules.map()->Find(1)->state, NodeState::kServing);
}

TEST(MembershipRules, AnOldCallThatArrivesLateIsPutRight) {
  MapKeeperModel keeper;
  Member one(SampleClusterNode(1));
  one.Settle(&keeper, 0, NodeState::kServing);
  const MapCaller caller = one.rules.Caller();
  ClusterNode serving = one.rules.self();
  one.Settle(&keeper, 1, NodeState::kDraining);
  ASSERT_TRUE(keeper.Run(MemberCall::kSetState, caller, serving, one.rules.seed(), 2000).ok());
  one.rules.OnNews(std::nullopt);
  EXPECT_EQ(one.Settle(&keeper, 3, NodeState::kDraining), (Calls{MemberCall::kFetch, MemberCall::kSetState}));
  EXPECT_EQ(one.rules.map()->Find(1)->state, NodeState::kDraining);
}

TEST(MembershipRules, ALapsedLeaseIsFollowedByJoining) {
  MapKeeperModel keeper;
  Member one(SampleClusterNode(1)), two(SampleClusterNode(2));
  one.Settle(&keeper, 0);
  two.Settle(&keeper, 0);
  for (int64_t now_ms = 1000; now_ms <= 5000; now_ms += 1000) two.Settle(&keeper, now_ms);
  EXPECT_EQ(two.Settle(&keeper, 6000), Calls{MemberCall::kRenew});
  EXPECT_EQ(one.Settle(&keeper, 6000), (Calls{MemberCall::kRenew, MemberCall::kJoin}));
  EXPECT_EQ(LiveNodesOf(*one.rules.map()), 2u);
}

TEST(MembershipRules, AZombieIsFencedAndSaysNoMore) {
  MapKeeperModel keeper;
  Member zombie(SampleClusterNode(1));
  zombie.Settle(&keeper, 0);
  ClusterNode successor = SampleClusterNode(1);
  successor.incarnation = 9;
  Member next(successor);
  next.Settle(&keeper, 10);
  ASSERT_EQ(zombie.rules.Next(2000, NodeState::kServing), MemberCall::kRenew);
  EXPECT_TRUE(zombie.rules.Handle(MemberCall::kRenew, zombie.Ask(&keeper, MemberCall::kRenew, 2000), 2000).ok());
  EXPECT_TRUE(zombie.rules.fenced());
  EXPECT_FALSE(zombie.rules.joined());
  for (const MemberCall call : zombie.Settle(&keeper, 5000, NodeState::kDraining)) EXPECT_EQ(call, MemberCall::kFetch);
  EXPECT_FALSE(next.rules.fenced());
}

TEST(MembershipRules, WhenTheKeeperLostItsNodesTheOldMapIsHeldForALease) {
  MapKeeperModel keeper;
  Member one(SampleClusterNode(1)), two(SampleClusterNode(2));
  for (Member* member : {&one, &two, &one}) {
    member->rules.OnConnected(0);
    member->Settle(&keeper, 0);
  }
  ASSERT_EQ(LiveNodesOf(*one.rules.map()), 2u);
  keeper.Become(MapKeeperModel());
  one.rules.OnConnected(100);
  one.Settle(&keeper, 100);
  EXPECT_EQ(LiveNodesOf(*one.rules.map()), 2u) << "the new map has one node";
  one.Settle(&keeper, 100 + kLeaseMs);
  EXPECT_EQ(LiveNodesOf(*one.rules.map()), 1u) << "the other did not come back";
}

TEST(MembershipRules, AMapOfALowerEpochIsNeverTaken) {
  MapKeeperModel keeper;
  Member one(SampleClusterNode(1));
  one.Settle(&keeper, 0);
  const auto map = one.rules.map();
  MapAnswer old;
  old.map = *map;
  old.map->epoch = map->epoch - 1 == 0 ? 1 : map->epoch - 1;
  old.map->nodes.clear();
  old.epoch = old.map->epoch;
  old.lease_ms = kLeaseMs;
  const auto taken = one.rules.Handle(MemberCall::kFetch, old, 10);
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(*taken, nullptr);
  EXPECT_EQ(one.rules.map(), map);
}

}  // namespace
}  // namespace incipit
