#include "client/src/core/client_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ClientCore, StoredBlocksMatchAndLoad) {
  ClientFixture f(1);
  f.ConnectAndWait();
  auto stored = f.StoreChain(1, 20);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->Count(BlockStatus::kOk), 20u);
  auto match = f.MatchChain(1, 25);
  ASSERT_TRUE(match.ok());
  EXPECT_TRUE(match->complete);
  EXPECT_EQ(match->longest_tokens(), 20u * 16);
  EXPECT_EQ(match->restorable_tokens.size(), 20u);
  EXPECT_EQ(match->ram_bytes, 20u * 256);
  EXPECT_EQ(match->presence[0][19], Presence::kRam);
  EXPECT_EQ(match->presence[0][20], Presence::kMiss);
  auto loaded = f.LoadChain(1, 25);
  ASSERT_TRUE(loaded.result.ok());
  EXPECT_EQ(loaded.result->hits, 20u);
  EXPECT_EQ(loaded.result->bytes, 20u * 256);
  EXPECT_EQ(loaded.wrong_blocks, 0u);
  EXPECT_EQ(loaded.result->status[24], BlockStatus::kMiss);
}

TEST(ClientCore, LayerRangesLoadAlone) {
  ClientFixture f(2);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 7).ok());
  for (uint16_t first = 0; first < 4; ++first) {
    for (uint16_t count : {uint16_t{1}, uint16_t{2}, uint16_t{4}, wire::kAllSegments}) {
      auto loaded = f.LoadChain(1, 7, 0, first, count);
      ASSERT_TRUE(loaded.result.ok()) << loaded.result.status();
      EXPECT_EQ(loaded.result->hits, 7u);
      EXPECT_EQ(loaded.wrong_blocks, 0u);
    }
  }
}

TEST(ClientCore, SeveralShardsShareTheKeys) {
  ClientFixture f(3);
  f.node->shard_count = 5;
  f.node->any_shard = 3;
  f.ConnectAndWait();
  EXPECT_EQ(f.node->accepted(), 5u);
  ASSERT_TRUE(f.StoreChain(1, 100).ok());
  std::set<uint16_t> used;
  for (const auto& [name, block] : f.node->blocks) used.insert(std::get<0>(name));
  EXPECT_EQ(used.size(), 5u);
  EXPECT_EQ(f.MatchChain(1, 100)->longest_tokens(), 1600u);
  auto loaded = f.LoadChain(1, 100);
  EXPECT_EQ(loaded.result->hits, 100u);
  EXPECT_EQ(loaded.wrong_blocks, 0u);
  EXPECT_EQ(f.client->node().shard_count, 5);
}

TEST(ClientCore, BatchesKeepTheNodesLimits) {
  ClientFixture f(4);
  f.node->max_batch_keys = 10;
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 35).ok());
  EXPECT_EQ(f.node->requests[wire::FrameType::kStore], 4);
  EXPECT_EQ(f.node->requests[wire::FrameType::kOffer], 4);
  EXPECT_EQ(f.MatchChain(1, 35)->longest_tokens(), 35u * 16);
  EXPECT_EQ(f.node->requests[wire::FrameType::kMatch], 4);
  EXPECT_EQ(f.LoadChain(1, 35).result->hits, 35u);
  EXPECT_EQ(f.node->requests[wire::FrameType::kLoad], 4);
}

TEST(ClientCore, PresentBlocksAreNotSentAgain) {
  ClientFixture f(5);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 5).ok());
  auto again = f.StoreChain(1, 8);
  EXPECT_EQ(again->Count(BlockStatus::kPresent), 5u);
  EXPECT_EQ(again->Count(BlockStatus::kOk), 3u);
  auto all_there = f.StoreChain(1, 8);
  EXPECT_EQ(all_there->Count(BlockStatus::kPresent), 8u);
  EXPECT_EQ(f.node->requests[wire::FrameType::kStore], 2);
}

TEST(ClientCore, OtherBytesUnderAKeyAreAConflict) {
  ClientFixture f(6);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 1).ok());
  std::vector<uint8_t> other(256, 1);
  const BlockKey key = KeyOf(1, 0);
  StoreRequest request{.items = {{.key = key.bytes(), .buffer = {other.data(), other.size()}}}, .offer_first = false};
  auto result = f.loop.Run(f.client->Store(request));
  EXPECT_THAT(result->status, ElementsAre(BlockStatus::kConflict));
  EXPECT_EQ(f.LoadChain(1, 1).wrong_blocks, 0u);
}

TEST(ClientCore, LeaseIsReleasedByItsToken) {
  ClientFixture f(7);
  f.node->shard_count = 3;
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 30).ok());
  {
    auto match = f.MatchChain(1, 30, 5000);
    EXPECT_TRUE(match->lease.held());
    EXPECT_EQ(match->lease_ms, 5000u);
    EXPECT_EQ(f.node->leases.size(), 3u);
    Lease moved = std::move(match->lease);
    f.loop.RunUntil(f.loop.NowNs() + 1'000'000);
    EXPECT_EQ(f.node->leases.size(), 3u);
  }
  f.loop.RunUntil(f.loop.NowNs() + 1'000'000);
  EXPECT_EQ(f.node->leases.size(), 0u);
}

TEST(ClientCore, LeaseMayOutliveTheClient) {
  ClientFixture f(8);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 3).ok());
  auto match = f.MatchChain(1, 3, 5000);
  f.loop.Run(f.client->Stop());
  f.client.reset();
  match->lease.Release();
  EXPECT_FALSE(match->lease.held());
}

TEST(ClientCore, TouchRemoveAndStatsReachAllShards) {
  ClientFixture f(9);
  f.node->shard_count = 2;
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 10).ok());
  const std::vector<BlockKey> keys = f.Keys(1, 12);
  TouchRequest touch;
  RemoveRequest remove;
  for (const BlockKey& key : keys) touch.blocks.push_back({.key = key.bytes()});
  remove.blocks = {touch.blocks[0], touch.blocks[11]};
  auto touched = f.loop.Run(f.client->Touch(touch));
  EXPECT_EQ(touched->Count(BlockStatus::kOk), 10u);
  EXPECT_EQ(touched->Count(BlockStatus::kMiss), 2u);
  EXPECT_THAT(f.loop.Run(f.client->Remove(remove))->status, ElementsAre(BlockStatus::kOk, BlockStatus::kMiss));
  EXPECT_EQ(f.MatchChain(1, 10)->longest_tokens(), 0u);
  auto stats = f.loop.Run(f.client->Stats());
  ASSERT_TRUE(stats.ok());
  ASSERT_EQ(stats->size(), 2u);
  EXPECT_EQ((*stats)[1].shard, 1);
  EXPECT_EQ((*stats)[0].values[0], std::make_pair(std::string("blocks"), uint64_t{9}));
}

TEST(ClientCore, CallersMistakesAreInvalidArgument) {
  ClientFixture f(10);
  f.ConnectAndWait();
  std::vector<uint8_t> buffer(256), key(65, 1);
  LoadRequest load{.items = {{.group = 1, .key = ByteView(key).first(8), .buffer = {buffer.data(), 256}}}};
  EXPECT_THAT(f.loop.Run(f.client->Load(load)).status().ToString(), HasSubstr("group 1, the layout has 1"));
  load.items[0].group = 0;
  load.items[0].key = key;
  EXPECT_THAT(f.loop.Run(f.client->Load(load)).status().ToString(), HasSubstr("key of 65 bytes"));
  load.items[0].key = {};
  EXPECT_TRUE(absl::IsInvalidArgument(f.loop.Run(f.client->Load(load)).status()));
  load.items[0].key = ByteView(key).first(8);
  load.items[0].buffer.iov_len = 255;
  EXPECT_THAT(f.loop.Run(f.client->Load(load)).status().ToString(), HasSubstr("destination of 255 bytes"));
  load.items[0].buffer.iov_len = 256;
  load.first_segment = 4;
  EXPECT_TRUE(absl::IsInvalidArgument(f.loop.Run(f.client->Load(load)).status()));
  StoreRequest store{.items = {{.key = ByteView(key).first(8), .buffer = {buffer.data(), 64}}}};
  EXPECT_THAT(f.loop.Run(f.client->Store(store)).status().ToString(), HasSubstr("64 bytes, a block of group latent"));
  MatchRequest match{.groups = {KeyList(), KeyList()}};
  EXPECT_TRUE(absl::IsInvalidArgument(f.loop.Run(f.client->Match(match)).status()));
  EXPECT_EQ(f.node->requests[wire::FrameType::kLoad], 0);
}

TEST(ClientCore, EmptyRequestsAskNothing) {
  ClientFixture f(11);
  f.ConnectAndWait();
  EXPECT_TRUE(f.loop.Run(f.client->Load({})).ok());
  EXPECT_TRUE(f.loop.Run(f.client->Store({})).ok());
  EXPECT_TRUE(f.loop.Run(f.client->Offer({})).ok());
  auto match = f.loop.Run(f.client->Match({}));
  EXPECT_EQ(match->longest_tokens(), 0u);
  EXPECT_EQ(f.node->requests[wire::FrameType::kMatch], 0);
}

TEST(ClientCore, NoNodeMeansMissesAndUnavailable) {
  ClientFixture f(12);
  f.KillNode();
  f.Connect();
  EXPECT_FALSE(f.loop.Run(f.client->WaitConnected()).ok());
  auto match = f.MatchChain(1, 4);
  ASSERT_TRUE(match.ok());
  EXPECT_FALSE(match->complete);
  EXPECT_THAT(match->presence[0], Each(Presence::kMiss));
  EXPECT_THAT(f.LoadChain(1, 4).result->status, Each(BlockStatus::kExpired));
  EXPECT_TRUE(absl::IsUnavailable(f.StoreChain(1, 4).status()));
  EXPECT_TRUE(absl::IsUnavailable(f.loop.Run(f.client->Stats()).status()));
}

TEST(ClientCore, OptionsAreChecked) {
  ClientOptions good{.address = "mem://x", .model = "m", .layout = SmallLayout()};
  EXPECT_TRUE(ClientCore::CheckOptions(good).ok());
  ClientOptions bad = good;
  bad.model = "";
  EXPECT_THAT(ClientCore::CheckOptions(bad).ToString(), HasSubstr("ClientOptions.model: 0 bytes"));
  bad = good;
  bad.tenant = std::string(129, 'x');
  EXPECT_TRUE(absl::IsInvalidArgument(ClientCore::CheckOptions(bad)));
  bad = good;
  bad.layout.groups.clear();
  EXPECT_TRUE(absl::IsInvalidArgument(ClientCore::CheckOptions(bad)));
  bad = good;
  bad.default_deadline_ms = 0;
  EXPECT_THAT(ClientCore::CheckOptions(bad).ToString(), HasSubstr("default_deadline_ms"));
  bad = good;
  bad.reconnect_max_ms = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(ClientCore::CheckOptions(bad)));
  bad = good;
  bad.prefill_tokens_per_s = -1;
  EXPECT_TRUE(absl::IsInvalidArgument(ClientCore::CheckOptions(bad)));
}

TEST(ClientCore, StampsAscend) {
  ClientFixture f(13);
  std::vector<uint64_t> stamps;
  f.node->intercept = [&stamps](FakeNode::Connection*, wire::FrameHeader header, ByteView meta) -> Task<bool> {
    if (header.type == wire::FrameType::kMatch) stamps.push_back(wire::Match::Decode(meta)->stamp_ns);
    co_return false;
  };
  f.ConnectAndWait();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(f.MatchChain(1, 1).ok());
  ASSERT_EQ(stamps.size(), 3u);
  EXPECT_LT(stamps[0], stamps[1]);
  EXPECT_LT(stamps[1], stamps[2]);
}

}  // namespace
}  // namespace incipit
