// The script against a real Redis. Leases are ended by hand, by setting their times back: nothing here waits.
#include "cluster/redis/map_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/cluster_maps.h"
#include "tests/support/redis_server.h"

namespace incipit {
namespace {

using testing::RedisServer;
using testing::SampleClusterNode;

class MapScriptTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto redis = RedisConnection::Connect(server_.Address(), "", 5000);
    ASSERT_TRUE(redis.ok()) << redis.status();
    redis_.emplace(*std::move(redis));
  }
  static MapCaller Caller(uint64_t id, uint64_t incarnation = 1, uint64_t known_epoch = 0) {
    return {.id = id, .fence = NodeIdText(incarnation) + NodeIdText(7), .known_epoch = known_epoch, .lease_ms = 60'000};
  }
  absl::StatusOr<MapAnswer> Join(uint64_t id, uint64_t incarnation = 1, uint64_t known_epoch = 0) {
    return script_.Join(&*redis_, Caller(id, incarnation, known_epoch), SampleClusterNode(id), kSeed);
  }
  // The lease of node `id` ended a second ago.
  void EndLease(uint64_t id) { server_.Ask({"ZADD", "incipit:{test}:leases", "1000", NodeIdText(id)}); }
  NodeState StateOf(const MapAnswer& answer, uint64_t id) {
    const ClusterNode* node = answer.map->Find(id);
    EXPECT_NE(node, nullptr) << id;
    return node == nullptr ? NodeState::kGone : node->state;
  }
  MapAnswer Fetch(uint64_t known_epoch = 0) {
    auto answer = script_.Fetch(&*redis_, Caller(0, 0, known_epoch));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return *std::move(answer);
  }

  static constexpr PlacementSeed kSeed = {1, 2, 3};
  RedisServer server_;
  std::optional<RedisConnection> redis_;
  MapScript script_{"test"};
};

TEST_F(MapScriptTest, NodesJoinOneEpochEach) {
  EXPECT_TRUE(Fetch().lapsed) << "no cluster is there yet";
  const auto first = Join(5);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->map->epoch, first->epoch);
  EXPECT_EQ(first->map->placement_seed, kSeed);
  EXPECT_EQ(first->lease_ms, 60'000u);
  auto second = script_.Join(&*redis_, Caller(3), SampleClusterNode(3), {9, 9});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GT(second->epoch, first->epoch);
  EXPECT_EQ(second->map->placement_seed, kSeed) << "the first one's seed is the cluster's";
  ASSERT_EQ(second->map->nodes.size(), 2u);
  EXPECT_EQ(second->map->nodes[0], SampleClusterNode(3));
  EXPECT_EQ(second->map->nodes[1], SampleClusterNode(5));
  EXPECT_EQ(Join(3)->epoch, second->epoch) << "nothing changed";
  EXPECT_EQ(Fetch().map, second->map);
}

TEST_F(MapScriptTest, RenewingChangesNothing) {
  const auto joined = Join(1);
  ASSERT_TRUE(joined.ok());
  const auto renewed = script_.Renew(&*redis_, Caller(1));
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_FALSE(renewed->lapsed);
  EXPECT_EQ(renewed->epoch, joined->epoch);
  EXPECT_TRUE(script_.Renew(&*redis_, Caller(2))->lapsed) << "it never joined";
}

TEST_F(MapScriptTest, ALeaseThatEndedMakesItsNodeGone) {
  ASSERT_TRUE(Join(1).ok());
  ASSERT_TRUE(Join(2).ok());
  const uint64_t before = Fetch().epoch;
  EndLease(2);
  const uint64_t ended = script_.Renew(&*redis_, Caller(1))->epoch;
  EXPECT_GT(ended, before) << "whoever calls next ends it";
  EXPECT_EQ(StateOf(Fetch(), 2), NodeState::kGone);
  EXPECT_EQ(StateOf(Fetch(), 1), NodeState::kServing);
  EXPECT_TRUE(script_.Renew(&*redis_, Caller(2))->lapsed);
  EXPECT_TRUE(script_.SetState(&*redis_, Caller(2), NodeState::kServing)->lapsed);
  EXPECT_GT(Join(2)->epoch, ended);
  EXPECT_EQ(StateOf(Fetch(), 2), NodeState::kServing);
}

TEST_F(MapScriptTest, StatesChangeWithAnEpochAndGoneGivesTheLeaseBack) {
  ASSERT_TRUE(Join(1).ok());
  const auto draining = script_.SetState(&*redis_, Caller(1), NodeState::kDraining);
  ASSERT_TRUE(draining.ok());
  EXPECT_EQ(StateOf(*draining, 1), NodeState::kDraining);
  EXPECT_EQ(script_.SetState(&*redis_, Caller(1), NodeState::kDraining)->epoch, draining->epoch) << "the same again";
  const auto gone = script_.SetState(&*redis_, Caller(1), NodeState::kGone);
  EXPECT_GT(gone->epoch, draining->epoch);
  EXPECT_EQ(StateOf(*gone, 1), NodeState::kGone);
  EXPECT_TRUE(script_.Renew(&*redis_, Caller(1))->lapsed);
}

TEST_F(MapScriptTest, AZombieIsRefusedWhateverItWrites) {
  ASSERT_TRUE(Join(1, 4).ok());
  ASSERT_TRUE(Join(1, 5).ok());
  const MapAnswer before = Fetch();
  EXPECT_EQ(Join(1, 4).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(script_.Renew(&*redis_, Caller(1, 4)).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(script_.SetState(&*redis_, Caller(1, 4), NodeState::kGone).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Fetch().map, before.map);
  EXPECT_FALSE(script_.Renew(&*redis_, Caller(1, 5))->lapsed);
  EXPECT_TRUE(script_.Renew(&*redis_, Caller(1, 6))->lapsed) << "a newer process has to join first";
  // Incarnations above 2^53 are told apart, and of two processes with the same one the other number decides.
  ASSERT_TRUE(Join(1, UINT64_MAX - 1).ok());
  EXPECT_EQ(Join(1, UINT64_MAX - 2).status().code(), absl::StatusCode::kAborted);
  MapCaller twin = Caller(1, UINT64_MAX - 1);
  twin.fence.back() = '6';
  EXPECT_EQ(script_.Renew(&*redis_, twin).status().code(), absl::StatusCode::kAborted);
}

TEST_F(MapScriptTest, AfterRedisWasAwayLeasesAreRenewedInsteadOfEnded) {
  ASSERT_TRUE(Join(1).ok());
  ASSERT_TRUE(Join(2).ok());
  const uint64_t before = Fetch().epoch;
  EndLease(1);
  EndLease(2);
  server_.Ask({"HSET", "incipit:{test}:meta", "seen_ms", "2000"});  // nobody has called since
  EXPECT_EQ(script_.Renew(&*redis_, Caller(1))->epoch, before);
  EXPECT_FALSE(script_.Renew(&*redis_, Caller(2))->lapsed);
  EXPECT_EQ(StateOf(Fetch(), 2), NodeState::kServing);
}

TEST_F(MapScriptTest, AClockOfRedisThatGoesBackEndsNoLease) {
  ASSERT_TRUE(Join(1).ok());
  server_.Ask({"HSET", "incipit:{test}:meta", "seen_ms", "99999999999999"});
  server_.Ask({"ZADD", "incipit:{test}:leases", "99999999999999", NodeIdText(1)});
  EXPECT_FALSE(script_.Renew(&*redis_, Caller(1))->lapsed);
  EXPECT_LT(std::stod(server_.Ask({"ZSCORE", "incipit:{test}:leases", NodeIdText(1)})), 99999999999999.0)
      << "or the lease would last until then";
}

TEST_F(MapScriptTest, EpochsNeverFallBelowWhatACallerKnows) {
  ASSERT_TRUE(Join(1).ok());
  // As after a failover to a replica that was behind, and whose clock is too: above what is known, so that all take it.
  const uint64_t known = Fetch().epoch + 1'000'000'000;
  const uint64_t raised = script_.Renew(&*redis_, Caller(1, 1, known))->epoch;
  EXPECT_GT(raised, known);
  EXPECT_EQ(script_.Renew(&*redis_, Caller(1, 1, raised))->epoch, raised);
  server_.Ask({"FLUSHALL"});
  EXPECT_TRUE(script_.Renew(&*redis_, Caller(1, 1, raised))->lapsed);
  const uint64_t joined = Join(1, 1, raised)->epoch;
  EXPECT_GT(joined, raised);
  EXPECT_EQ(Fetch(joined).map->epoch, joined);
}

TEST_F(MapScriptTest, AnEpochIsNeverGivenTwiceThoughRedisForgotIt) {
  std::set<uint64_t> epochs;
  for (int round = 0; round < 5; ++round) {
    for (uint64_t id = 1; id <= 3; ++id) {
      const auto joined = Join(id);
      ASSERT_TRUE(joined.ok()) << joined.status();
      EXPECT_TRUE(epochs.insert(joined->epoch).second) << "epoch " << joined->epoch << " again, for another map";
    }
    server_.Ask({"FLUSHALL"});  // and nobody who comes back knows of it
  }
}

TEST_F(MapScriptTest, EpochsAreNeverAheadOfTheClock) {
  for (uint64_t id = 1; id <= 20; ++id) {
    const auto joined = Join(id);
    ASSERT_TRUE(joined.ok()) << joined.status();
    const auto now = redis_->Call({"TIME"});
    ASSERT_TRUE(now.ok()) << now.status();
    EXPECT_LE(joined->epoch, std::stoull(now->list[0]) * 1'000'000 + std::stoull(now->list[1]));
  }
}

TEST_F(MapScriptTest, ServersBeforeAndAfterAFailoverGiveDifferentEpochs) {
  for (const uint64_t failovers : {5u, 21u, 22u, 6u}) {
    MapCaller caller = Caller(failovers);
    caller.failovers = failovers;
    const auto joined = script_.Join(&*redis_, caller, SampleClusterNode(failovers), kSeed);
    ASSERT_TRUE(joined.ok()) << joined.status();
    EXPECT_EQ(joined->epoch % 16, failovers % 16);
  }
}

TEST_F(MapScriptTest, GoneNodesAreForgottenAfterAnHour) {
  ASSERT_TRUE(Join(1).ok());
  ASSERT_TRUE(Join(2).ok());
  ASSERT_TRUE(script_.SetState(&*redis_, Caller(2), NodeState::kGone).ok());
  const MapAnswer before = Fetch();
  EXPECT_EQ(before.map->nodes.size(), 2u);
  server_.Ask({"ZADD", "incipit:{test}:gone", "1000", NodeIdText(2)});
  const MapAnswer answer = Fetch();
  EXPECT_EQ(answer.map->nodes.size(), 1u);
  EXPECT_GT(answer.epoch, before.epoch);
  EXPECT_EQ(server_.Ask({"HLEN", "incipit:{test}:nodes"}), "3");
}

TEST_F(MapScriptTest, ChangesArePublishedWithTheirEpoch) {
  auto news = RedisConnection::Connect(server_.Address(), "", 5000);
  ASSERT_TRUE(news.ok()) << news.status();
  ASSERT_TRUE(news->Call({"SUBSCRIBE", script_.channel()}).ok());
  const auto one = Join(1);
  ASSERT_TRUE(script_.Renew(&*redis_, Caller(1)).ok());
  const auto two = Join(2);
  ASSERT_TRUE(one.ok() && two.ok());
  std::vector<std::string> epochs;
  while (epochs.size() < 2) {
    const auto messages = news->ReadMessages();
    ASSERT_TRUE(messages.ok()) << messages.status();
    for (const RedisReply& message : *messages) epochs.push_back(message.list.at(2));
  }
  EXPECT_EQ(epochs, (std::vector<std::string>{std::to_string(one->epoch), std::to_string(two->epoch)}));
}

TEST_F(MapScriptTest, ARecordThatDoesNotDecodeCostsOnlyItsNode) {
  ASSERT_TRUE(Join(1).ok());
  ASSERT_TRUE(Join(2).ok());
  server_.Ask({"HSET", "incipit:{test}:nodes", NodeIdText(2) + ":record", "{\"id\": 7}"});
  server_.Ask({"HSET", "incipit:{test}:nodes", "garbage", "x"});
  const MapAnswer answer = Fetch();
  EXPECT_EQ(answer.bad_records, 2u);
  ASSERT_EQ(answer.map->nodes.size(), 1u);
  EXPECT_EQ(answer.map->nodes[0].id, 1u);
}

TEST_F(MapScriptTest, OtherVersionsAndBrokenKeysAreRefused) {
  ASSERT_TRUE(Join(1).ok());
  server_.Ask({"HSET", "incipit:{test}:meta", "placement_seed", "zz"});
  EXPECT_EQ(script_.Fetch(&*redis_, Caller(1)).status().code(), absl::StatusCode::kDataLoss);
  server_.Ask({"HSET", "incipit:{test}:meta", "version", "2"});
  EXPECT_EQ(script_.Renew(&*redis_, Caller(1)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Join(9).status().code(), absl::StatusCode::kFailedPrecondition);
  server_.Ask({"SET", "incipit:{test}:meta", "x"});
  EXPECT_FALSE(script_.Renew(&*redis_, Caller(1)).ok());
}

TEST_F(MapScriptTest, AFullClusterTakesNoMoreNodes) {
  ASSERT_TRUE(Join(1).ok());
  const std::string fill =
      "for node = 2, tonumber(ARGV[1]) do for _, field in ipairs({'record', 'state', 'fence'}) do "
      "redis.call('HSET', KEYS[1], string.format('%016x:%s', node, field), 'x') end end return 'OK'";
  EXPECT_EQ(server_.Ask({"EVAL", fill, "1", "incipit:{test}:nodes", std::to_string(kMaxClusterNodes - 1)}), "OK");
  EXPECT_TRUE(Join(kMaxClusterNodes).ok()) << "there is room for one";
  EXPECT_EQ(Join(5000).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Join(1).ok()) << "who is in it may join again";
  EXPECT_EQ(Fetch().map->nodes.size() + Fetch().bad_records, kMaxClusterNodes);
}

TEST_F(MapScriptTest, ClustersOfOneRedisDoNotMeet) {
  const auto joined = Join(1);
  ASSERT_TRUE(joined.ok());
  const MapScript other("other");
  EXPECT_TRUE(other.Join(&*redis_, Caller(1), SampleClusterNode(1), kSeed).ok());
  EXPECT_EQ(Fetch().epoch, joined->epoch);
  EXPECT_EQ(server_.Ask({"DBSIZE"}), "6") << "meta, nodes and leases of each";
}

}  // namespace
}  // namespace incipit
