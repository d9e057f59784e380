// Members of a cluster whose Redis fails over: a master, a replica and a sentinel, real processes. Each test waits for
// the event itself; the limits are only there so that a failure ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "cluster/membership/cluster_map_json.h"
#include "cluster/redis/redis_membership.h"
#include "tests/support/cluster_maps.h"
#include "tests/support/own_network.h"
#include "tests/support/redis_sentinels.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using testing::RedisSentinels;
using testing::SampleClusterNode;

constexpr uint32_t kPatienceMs = 60'000;

class FailoverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::EnterOwnNetwork()) GTEST_SKIP() << "no network namespace: " << std::strerror(errno);
    world_.emplace(1);
  }
  RedisMembershipOptions Options(uint64_t id) {
    RedisMembershipOptions options;
    options.address = world_->Address();
    options.self = SampleClusterNode(id);
    options.lease_ms = 1'000;
    options.retry_min_ms = 10;
    options.retry_max_ms = 50;
    options.on_map = [this, id](const std::shared_ptr<const ClusterMap>& map) {
      const std::lock_guard<std::mutex> lock(mutex_);
      EXPECT_GE(map->nodes.size(), most_nodes_[id]) << "node " << id << ": the map shrank for a while";
      most_nodes_[id] = map->nodes.size();
      const auto [seen, fresh] = maps_.emplace(map->epoch, EncodeClusterMap(*map));
      EXPECT_EQ(seen->second, EncodeClusterMap(*map)) << "epoch " << map->epoch << " for two maps";
    };
    return options;
  }
  std::unique_ptr<RedisMembership> Start(RedisMembershipOptions options) {
    auto membership = RedisMembership::Start(std::move(options));
    EXPECT_TRUE(membership.ok()) << membership.status();
    return *std::move(membership);
  }
  static void AwaitNodes(const RedisMembership& member, size_t count, uint64_t above_epoch = 0) {
    const auto there = [=](const ClusterMap& map) { return map.nodes.size() == count && map.epoch > above_epoch; };
    EXPECT_EQ(member.WaitForMap(there, kPatienceMs).status(), absl::OkStatus());
  }
  static void AwaitJoinedAt(const RedisMembership& member, uint16_t port) {
    const std::string server = RedisPlace{"127.0.0.1", port}.ToString();
    const auto there = [&](const RedisMembershipStatus& status) {
      return status.connected && status.joined && status.server == server;
    };
    EXPECT_EQ(member.WaitForStatus(there, kPatienceMs), absl::OkStatus());
  }
  void KillMasterAndFailOver() {
    world_->master()->Kill();
    world_->FailOver();
  }

  std::optional<RedisSentinels> world_;
  std::mutex mutex_;
  std::map<uint64_t, size_t> most_nodes_;  // under mutex_, as maps_: every map that any member took, by epoch
  std::map<uint64_t, std::string> maps_;
};

TEST_F(FailoverTest, MembersGoOverToTheNewMaster) {
  const auto one = Start(Options(1)), two = Start(Options(2));
  AwaitNodes(*one, 2);
  AwaitNodes(*two, 2);
  AwaitJoinedAt(*one, RedisSentinels::kMasterPort);
  const auto before = one->Map();
  KillMasterAndFailOver();
  AwaitJoinedAt(*one, RedisSentinels::kReplicaPort);
  AwaitJoinedAt(*two, RedisSentinels::kReplicaPort);
  EXPECT_GE(one->Map()->epoch, before->epoch);
  EXPECT_EQ(one->Map()->nodes, before->nodes);
  const auto three = Start(Options(3));
  AwaitNodes(*two, 3);
}

TEST_F(FailoverTest, WhatTheReplicaMissedComesBackAndNoEpochIsGivenTwice) {
  const auto one = Start(Options(1));
  AwaitNodes(*one, 1);
  EXPECT_EQ(one->Map()->epoch % 16, 0u) << "epochs tell how many failovers there were";
  world_->CutReplica();
  const auto two = Start(Options(2));  // of which the replica does not hear
  AwaitNodes(*one, 2);
  AwaitNodes(*two, 2);
  const auto before = one->Map();
  KillMasterAndFailOver();
  AwaitNodes(*one, 2, before->epoch);
  AwaitNodes(*two, 2, before->epoch);
  EXPECT_EQ(one->Map()->placement_seed, before->placement_seed);
  EXPECT_EQ(one->Map()->epoch % 16, 1u);
}

TEST_F(FailoverTest, AZombieIsRefusedThoughItsSuccessorWasForgotten) {
  const MapScript script("test");
  const MapCaller zombie{.id = 1, .fence = NodeIdText(2) + NodeIdText(7), .lease_ms = 1'000};
  auto redis = RedisConnection::Connect(RedisSentinels::At(RedisSentinels::kMasterPort), "", 5'000);
  ASSERT_TRUE(redis.ok() && script.Join(&*redis, zombie, SampleClusterNode(1), {1}).ok());
  RedisSentinels::Await("the replica has heard of the zombie", [&] {
    return world_->replica()->Ask({"HGET", "incipit:{test}:nodes", NodeIdText(1) + ":fence"}) == zombie.fence;
  });
  world_->CutReplica();
  const auto successor = Start(Options(1));  // its incarnation is 3
  AwaitJoinedAt(*successor, RedisSentinels::kMasterPort);
  const uint64_t epoch = successor->Map()->epoch;
  KillMasterAndFailOver();
  AwaitJoinedAt(*successor, RedisSentinels::kReplicaPort);
  AwaitNodes(*successor, 1, epoch);
  EXPECT_EQ(successor->Map()->Find(1)->incarnation, 3u);
  redis = RedisConnection::Connect(RedisSentinels::At(RedisSentinels::kReplicaPort), "", 5'000);
  ASSERT_TRUE(redis.ok()) << redis.status();
  EXPECT_EQ(script.Renew(&*redis, zombie).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(script.Join(&*redis, zombie, SampleClusterNode(1), {1}).status().code(), absl::StatusCode::kAborted);
}

TEST_F(FailoverTest, AServerThatIsNotTheMasterAnyMoreIsLeft) {
  const auto one = Start(Options(1));
  AwaitNodes(*one, 1);
  AwaitJoinedAt(*one, RedisSentinels::kMasterPort);
  const auto before = one->Map();
  world_->master()->Ask({"REPLICAOF", "127.0.0.1", "1"});  // by hand: its connections stay, its writes are refused
  const auto left = [](const RedisMembershipStatus& status) {
    return status.refused > 0 && status.last_error.message().find("its role is slave") != std::string::npos;
  };
  EXPECT_EQ(one->WaitForStatus(left, kPatienceMs), absl::OkStatus());
  EXPECT_EQ(one->Map(), before);
  world_->master()->Ask({"REPLICAOF", "NO", "ONE"});
  AwaitJoinedAt(*one, RedisSentinels::kMasterPort);
}

TEST_F(FailoverTest, TheSentinelsAreFollowedThoughTheOldMasterGoesOn) {
  const auto one = Start(Options(1));
  AwaitJoinedAt(*one, RedisSentinels::kMasterPort);
  world_->sentinel(0)->Ask({"SENTINEL", "REMOVE", RedisSentinels::kName});
  world_->replica()->Ask({"REPLICAOF", "NO", "ONE"});
  world_->sentinel(0)->Ask({"SENTINEL", "MONITOR", RedisSentinels::kName, "127.0.0.1", "7002", "1"});
  AwaitJoinedAt(*one, RedisSentinels::kReplicaPort);
}

TEST_F(FailoverTest, WithoutSentinelsThereIsNoMapAndNobodyWaits) {
  world_->sentinel(0)->Kill();
  const auto one = Start(Options(1));
  const auto failed = [](const RedisMembershipStatus& status) {
    return status.failures > 1 && status.last_error.message().find("sentinel 127.0.0.1:7101") != std::string::npos;
  };
  EXPECT_EQ(one->WaitForStatus(failed, kPatienceMs), absl::OkStatus());
  EXPECT_EQ(one->Map(), nullptr);
}

}  // namespace
}  // namespace incipit
