// Nodes with their threads and a real Redis. Each test waits for the event itself; the limits are only there so that a
// failure ends.
#include "cluster/redis/redis_membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "tests/support/cluster_maps.h"
#include "tests/support/redis_server.h"

namespace incipit {
namespace {

using testing::RedisServer;
using testing::SampleClusterNode;

constexpr uint32_t kPatienceMs = 60'000;

class RedisMembershipTest : public ::testing::Test {
 protected:
  RedisMembershipOptions Options(uint64_t id) {
    RedisMembershipOptions options;
    options.address = server_.Address();
    if (id != 0) options.self = SampleClusterNode(id);
    options.lease_ms = 1'000;
    options.retry_min_ms = 10;
    options.retry_max_ms = 50;
    return options;
  }
  std::unique_ptr<RedisMembership> Start(RedisMembershipOptions options) {
    auto membership = RedisMembership::Start(std::move(options));
    EXPECT_TRUE(membership.ok()) << membership.status();
    return *std::move(membership);
  }
  std::unique_ptr<RedisMembership> Start(uint64_t id) { return Start(Options(id)); }

  static RedisMembership::MapPredicate Live(size_t count) {
    return [count](const ClusterMap& map) {
      size_t live = 0;
      for (const ClusterNode& node : map.nodes) live += node.state != NodeState::kGone;
      return live == count;
    };
  }
  static absl::Status Await(const RedisMembership& membership, const RedisMembership::MapPredicate& wanted) {
    return membership.WaitForMap(wanted, kPatienceMs).status();
  }

  RedisServer server_;
};

TEST_F(RedisMembershipTest, WrongOptionsAreRefused) {
  RedisMembershipOptions options = Options(1);
  options.lease_ms = 99;
  EXPECT_FALSE(RedisMembership::Start(options).ok());
  options = Options(1);
  options.self->weight = 0;
  EXPECT_FALSE(RedisMembership::Start(options).ok());
  options = Options(1);
  options.self->state = NodeState::kGone;
  EXPECT_FALSE(RedisMembership::Start(options).ok());
}

TEST_F(RedisMembershipTest, EveryNodeAndFollowerSeesTheSameMap) {
  const auto one = Start(1), two = Start(2), three = Start(3), follower = Start(0);
  for (const auto* member : {&one, &two, &three, &follower}) ASSERT_TRUE(Await(**member, Live(3)).ok());
  EXPECT_EQ(*one->Map(), *three->Map());
  EXPECT_EQ(*one->Map(), *follower->Map());
  EXPECT_EQ(one->Current().shards.size(), 12u);
  EXPECT_TRUE(one->status().joined);
  EXPECT_FALSE(follower->status().joined);
}

TEST_F(RedisMembershipTest, AStateIsToldToAll) {
  const auto one = Start(1), two = Start(2);
  ASSERT_TRUE(Await(*two, Live(2)).ok());
  one->SetState(NodeState::kDraining);
  EXPECT_TRUE(Await(*two, [](const ClusterMap& map) { return map.Find(1)->state == NodeState::kDraining; }).ok());
}

TEST_F(RedisMembershipTest, WhoLeavesIsGoneAtOnceAndWhoIsKilledWhenItsLeaseEnds) {
  const auto one = Start(1);
  const auto two = Start(2), three = Start(3);
  ASSERT_TRUE(Await(*one, Live(3)).ok());
  two->Stop(RedisMembership::Leaving::kLeave);
  EXPECT_TRUE(Await(*one, Live(2)).ok());
  three->Stop(RedisMembership::Leaving::kKeepLease);
  EXPECT_TRUE(Await(*one, Live(1)).ok());
  EXPECT_EQ(one->Map()->Find(3)->state, NodeState::kGone);
}

TEST_F(RedisMembershipTest, WithoutRedisThereIsNoMapAndNobodyWaits) {
  server_.Kill();
  const auto one = Start(1);
  EXPECT_EQ(one->Map(), nullptr);
  EXPECT_EQ(one->Current().epoch, 0u);
  ASSERT_TRUE(one->WaitForStatus([](const auto& status) { return status.failures > 2; }, kPatienceMs).ok());
  EXPECT_FALSE(one->status().connected);
  server_.Start();
  EXPECT_TRUE(Await(*one, Live(1)).ok()) << "it joins by itself";
}

TEST_F(RedisMembershipTest, ThroughALongAbsenceOfRedisTheMapStands) {
  const auto one = Start(1), two = Start(2);
  ASSERT_TRUE(Await(*one, Live(2)).ok());
  ASSERT_TRUE(Await(*two, Live(2)).ok());
  const auto before = one->Map();
  const uint64_t before_two = two->Map()->epoch;
  server_.Pause();
  // Many tries: far longer than a lease.
  ASSERT_TRUE(one->WaitForStatus([](const auto& status) { return status.failures >= 2; }, kPatienceMs).ok());
  ASSERT_TRUE(two->WaitForStatus([](const auto& status) { return status.failures >= 2; }, kPatienceMs).ok());
  EXPECT_EQ(one->Map(), before);
  server_.Resume();
  ASSERT_TRUE(one->WaitForStatus([](const auto& status) { return status.connected; }, kPatienceMs).ok());
  ASSERT_TRUE(two->WaitForStatus([](const auto& status) { return status.connected; }, kPatienceMs).ok());
  EXPECT_EQ(one->Map()->epoch, before->epoch) << "nobody's lease may end because Redis was away";
  EXPECT_EQ(two->Map()->epoch, before_two);
}

TEST_F(RedisMembershipTest, WhenRedisLosesItsDataNoMapWithFewerNodesIsTaken) {
  std::vector<size_t> sizes;  // on the thread of `one`, read after it has ended
  std::vector<uint64_t> epochs;
  RedisMembershipOptions options = Options(1);
  options.on_map = [&](const std::shared_ptr<const ClusterMap>& map) {
    sizes.push_back(map->nodes.size());
    epochs.push_back(map->epoch);
  };
  const auto one = Start(options);
  const auto two = Start(2), three = Start(3);
  for (const auto* member : {&one, &two, &three}) {
    ASSERT_TRUE(Await(**member, Live(3)).ok());
  }
  const auto before = one->Map();
  server_.Kill();
  server_.Start();
  ASSERT_TRUE(
      Await(*one, [&](const ClusterMap& map) { return map.epoch > before->epoch && map.nodes.size() == 3; }).ok());
  EXPECT_EQ(one->Map()->placement_seed, before->placement_seed);
  one->Stop(RedisMembership::Leaving::kKeepLease);
  EXPECT_TRUE(std::is_sorted(sizes.begin(), sizes.end())) << "it shrank for a while";
  EXPECT_TRUE(std::is_sorted(epochs.begin(), epochs.end()));
}

TEST_F(RedisMembershipTest, AMapIsToldOfBeforeItCanBeReadElsewhere) {
  std::atomic<const RedisMembership*> member = nullptr;
  size_t told = 0, told_first = 0;  // on its thread, read after it has ended
  RedisMembershipOptions options = Options(1);
  options.on_map = [&](const std::shared_ptr<const ClusterMap>& map) {
    if (member.load() == nullptr) return;
    const auto readable = member.load()->Map();
    ++told;
    told_first += readable == nullptr || readable->epoch < map->epoch;
  };
  const auto one = Start(options);
  member = one.get();
  const auto two = Start(2);
  ASSERT_TRUE(Await(*one, Live(2)).ok());
  one->Stop(RedisMembership::Leaving::kKeepLease);
  EXPECT_GT(told, 0u);
  EXPECT_EQ(told_first, told);
}

TEST_F(RedisMembershipTest, AZombieIsToldAndWritesNoMore) {
  std::atomic<int> fenced = 0;
  RedisMembershipOptions options = Options(1);
  options.on_fenced = [&](const absl::Status& why) { fenced += absl::IsAborted(why); };
  const auto zombie = Start(options);
  ASSERT_TRUE(Await(*zombie, Live(1)).ok());
  options = Options(1);
  options.self->incarnation = 4;
  options.self->weight = 99;
  const auto successor = Start(options);
  ASSERT_TRUE(zombie->WaitForStatus([](const auto& status) { return status.fenced; }, kPatienceMs).ok());
  // It goes on following the map, and ends without touching it.
  ASSERT_TRUE(Await(*zombie, [](const ClusterMap& map) { return map.Find(1)->incarnation == 4; }).ok());
  zombie->SetState(NodeState::kDraining);
  zombie->Stop(RedisMembership::Leaving::kLeave);
  EXPECT_EQ(fenced, 1);
  successor->SetState(NodeState::kJoining);
  ASSERT_TRUE(Await(*successor, [](const ClusterMap& map) { return map.Find(1)->state == NodeState::kJoining; }).ok());
  EXPECT_EQ(successor->Map()->Find(1)->weight, 99u);
  EXPECT_FALSE(successor->status().fenced);
}

TEST_F(RedisMembershipTest, WhoWasCutOffJoinsAgain) {
  const auto one = Start(1), two = Start(2);
  ASSERT_TRUE(Await(*one, Live(2)).ok());
  // As if its lease had run out while nobody could hear it.
  const uint64_t epoch = one->Map()->epoch;
  server_.Ask({"ZADD", "incipit:{test}:leases", "1000", NodeIdText(2)});
  ASSERT_TRUE(Await(*one, [&](const ClusterMap& map) { return map.epoch > epoch + 1 && Live(2)(map); }).ok());
  EXPECT_TRUE(two->WaitForStatus([](const auto& status) { return status.joins >= 2; }, kPatienceMs).ok());
}

TEST_F(RedisMembershipTest, ChangesCostEachNodeOneFetch) {
  const auto one = Start(1);
  ASSERT_TRUE(Await(*one, Live(1)).ok());
  const uint64_t before = one->status().fetches;
  for (int i = 1; i <= 5; ++i) {
    const auto other = Start(static_cast<uint64_t>(i) + 1);
    ASSERT_TRUE(Await(*one, Live(static_cast<size_t>(2))).ok());
    other->Stop(RedisMembership::Leaving::kLeave);
    ASSERT_TRUE(Await(*one, Live(static_cast<size_t>(1))).ok());
  }
  EXPECT_LE(one->status().fetches - before, 10u) << "5 joined, 5 left";
}

}  // namespace
}  // namespace incipit
