#include "client/src/core/node_links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

constexpr int64_t kMs = 1'000'000;

TEST(NodeLinks, FirstConnectionAsksForAnyShardAndServesTheOneThatAnswered) {
  ClientFixture f(1);
  f.node->shard_count = 4;
  f.node->any_shard = 2;
  std::vector<uint16_t> asked;
  f.node->intercept = [&asked](FakeNode::Connection*, wire::FrameHeader header, ByteView meta) -> Task<bool> {
    if (header.type == wire::FrameType::kHello) asked.push_back(wire::Hello::Decode(meta)->shard);
    co_return false;
  };
  f.ConnectAndWait();
  ASSERT_EQ(asked.size(), 4u);
  EXPECT_EQ(asked[0], wire::kAnyShard);
  std::sort(asked.begin() + 1, asked.end());
  EXPECT_THAT(asked, testing::ElementsAre(wire::kAnyShard, 0, 1, 3));
  const NodeInfo info = f.client->node();
  EXPECT_TRUE(info.connected);
  EXPECT_EQ(info.name, "fake");
  EXPECT_EQ(info.node_id, 77u);
}

TEST(NodeLinks, NothingIsKnownBeforeTheFirstAnswer) {
  ClientFixture f(2);
  f.KillNode();
  f.Connect();
  EXPECT_FALSE(f.client->node().connected);
  EXPECT_EQ(f.client->node().shard_count, 0);
}

TEST(NodeLinks, OneDeadShardCostsItsShareOnly) {
  ClientFixture f(3);
  f.node->shard_count = 4;
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 80).ok());
  // Shard 1 never answers any more.
  f.node->intercept = [](FakeNode::Connection* connection, wire::FrameHeader, ByteView) -> Task<bool> {
    co_return connection->shard == 1;
  };
  auto loaded = f.LoadChain(1, 80, 200);
  EXPECT_GT(loaded.result->hits, 40u);
  EXPECT_LT(loaded.result->hits, 80u);
  EXPECT_EQ(loaded.wrong_blocks, 0u);
  auto match = f.MatchChain(1, 80, 0, 200);
  EXPECT_FALSE(match->complete);
  const auto here = std::count(match->presence[0].begin(), match->presence[0].end(), Presence::kRam);
  EXPECT_EQ(static_cast<uint64_t>(here), loaded.result->hits);
}

TEST(NodeLinks, NodeThatChangesAllTheTimeDoesNotMakeTheClientSpin) {
  ClientFixture f(4);
  f.node->shard_count = 2;
  uint64_t hellos = 0;
  f.node->intercept = [&](FakeNode::Connection*, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type == wire::FrameType::kHello) f.node->node_id = ++hellos;
    co_return false;
  };
  f.Connect();
  f.loop.RunUntil(f.loop.NowNs() + 10'000 * kMs);
  EXPECT_LT(hellos, 20'000u);
  EXPECT_FALSE(f.LoadChain(1, 3, 50).result->hits > 0);
}

}  // namespace
}  // namespace incipit
