#include "client/src/core/match_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"
#include "tests/client/src/core/plan_fixture.h"

namespace incipit {
namespace {

using testing::ElementsAre;

constexpr int64_t kMs = 1'000'000;

void Put(ClientFixture* f, uint16_t group, uint16_t part, const BlockKey& key, Presence tier) {
  f->node->blocks[{0, group, part, std::string(AsText(key.bytes()))}].tier = tier;
}

TEST(MatchCall, BlockInPartsIsThereOnlyIfAllPartsAre) {
  ClientFixture f(1, {.name = "parts", .groups = {GroupOf("state", 3, 30 << 20)}});
  f.ConnectAndWait();
  const std::vector<BlockKey> keys = f.Keys(1, 5);
  Put(&f, 0, 0, keys[0], Presence::kRam);
  Put(&f, 0, 1, keys[0], Presence::kRam);
  Put(&f, 0, 0, keys[1], Presence::kRam);
  Put(&f, 0, 1, keys[2], Presence::kNvme);
  Put(&f, 0, 0, keys[3], Presence::kNvme);
  Put(&f, 0, 1, keys[3], Presence::kRam);
  auto match = f.MatchChain(1, 5);
  EXPECT_THAT(match->presence[0],
              ElementsAre(Presence::kRam, Presence::kMiss, Presence::kMiss, Presence::kNvme, Presence::kMiss));
  EXPECT_THAT(match->restorable_tokens, ElementsAre(16, 64));
  EXPECT_EQ(match->nvme_bytes, 90u << 20);
}

TEST(MatchCall, PartsOfANodeThatDoesNotAnswerAreMissing) {
  ClientFixture f(2, {.name = "parts", .groups = {GroupOf("state", 3, 30 << 20)}});
  f.ConnectAndWait();
  f.node->intercept = [](FakeNode::Connection*, wire::FrameHeader header, ByteView) -> Task<bool> {
    co_return header.type == wire::FrameType::kMatch;
  };
  auto match = f.MatchChain(1, 3, 0, 100);
  EXPECT_THAT(match->presence[0], testing::Each(Presence::kMiss));
  EXPECT_FALSE(match->complete);
  EXPECT_TRUE(match->restorable_tokens.empty());
}

TEST(MatchCall, AllGroupsGoInOneRequest) {
  Layout layout = SmallLayout();
  layout.groups.push_back({.name = "window",
                           .rule = HitRule::kWindow,
                           .window_tokens = 20,
                           .block_tokens = 16,
                           .layers = 2,
                           .bytes_per_entry = 4});
  ClientFixture f(3, layout);
  f.ConnectAndWait();
  const std::vector<BlockKey> keys = f.Keys(1, 6);
  for (size_t i = 0; i < 6; ++i) Put(&f, 0, 0, keys[i], Presence::kRam);
  for (size_t i = 3; i < 5; ++i) Put(&f, 1, 0, keys[i], Presence::kRam);
  MatchRequest request;
  request.groups = {keys, keys};
  auto match = f.loop.Run(f.client->Match(request));
  EXPECT_THAT(match->restorable_tokens, ElementsAre(80)) << "20 tokens before 80 are in blocks 3 and 4";
  EXPECT_EQ(f.node->requests[wire::FrameType::kMatch], 1);
  request.groups = {keys};
  match = f.loop.Run(f.client->Match(request));
  EXPECT_TRUE(match->restorable_tokens.empty()) << "nothing is known of the second group";
  EXPECT_EQ(match->presence.size(), 2u);
}

TEST(MatchCall, PackedKeysEqualBlockKeys) {
  ClientFixture f(4);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 6).ok());
  std::vector<uint8_t> packed;
  for (const BlockKey& key : f.Keys(1, 6)) packed.insert(packed.end(), key.bytes().begin(), key.bytes().end());
  MatchRequest request;
  request.groups = {KeyList(packed.data(), 6, 32)};
  EXPECT_EQ(f.loop.Run(f.client->Match(request))->longest_tokens(), 96u);
}

TEST(MatchCall, SlowNodeIsNotWorthLoadingFrom) {
  Layout layout{.name = "l"};
  layout.groups.push_back({.name = "latent", .block_tokens = 16, .layers = 4, .bytes_per_entry = 4096});
  ClientFixture f(5, layout);
  f.options.prefill_tokens_per_s = 10'000;  // a block takes 1.6 ms
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 8).ok());
  auto match = f.MatchChain(1, 8);
  EXPECT_TRUE(match->worth_loading);
  EXPECT_EQ(match->recompute_time_us, 12'800u);
  f.node->intercept = [&f](FakeNode::Connection*, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type == wire::FrameType::kLoad) co_await SleepUntil(&f.loop, f.loop.NowNs() + 12 * kMs);
    co_return false;
  };
  const int64_t start_ns = f.loop.NowNs();
  EXPECT_EQ(f.LoadChain(1, 8).result->hits, 8u);  // 12 ms of 12.8
  f.node->intercept = nullptr;
  match = f.MatchChain(1, 8);
  EXPECT_TRUE(match->worth_loading);
  EXPECT_GT(match->load_time_us, 10'000u);
  match = f.MatchChain(1, 4);
  EXPECT_TRUE(match->worth_loading) << "half the bytes, half the time";
  EXPECT_EQ(f.client->counters().guarded_matches, 0u);
  EXPECT_GT(f.loop.NowNs(), start_ns);
}

TEST(MatchCall, DeadlineOfALoadIsTheTimeToRecompute) {
  ClientFixture f(6);
  f.options.prefill_tokens_per_s = 1000;  // a block takes 16 ms
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 2).ok());
  f.node->intercept = [](FakeNode::Connection*, wire::FrameHeader header, ByteView) -> Task<bool> {
    co_return header.type == wire::FrameType::kLoad;
  };
  const std::vector<BlockKey> keys = f.Keys(1, 2);
  std::vector<uint8_t> buffer(512);
  LoadRequest request;
  for (uint32_t i = 0; i < 2; ++i) {
    request.items.push_back({.depth_tokens = i * 16, .key = keys[i].bytes(), .buffer = {buffer.data() + i * 256, 256}});
  }
  int64_t start_ns = f.loop.NowNs();
  EXPECT_THAT(f.loop.Run(f.client->Load(request))->status, testing::Each(BlockStatus::kExpired));
  EXPECT_EQ(f.loop.NowNs() - start_ns, 32 * kMs);
  request.recompute_tokens = 100;
  start_ns = f.loop.NowNs();
  EXPECT_EQ(f.loop.Run(f.client->Load(request))->hits, 0u);
  EXPECT_EQ(f.loop.NowNs() - start_ns, 100 * kMs);
  request.deadline_ms = 10;
  start_ns = f.loop.NowNs();
  EXPECT_EQ(f.loop.Run(f.client->Load(request))->hits, 0u);
  EXPECT_EQ(f.loop.NowNs() - start_ns, 10 * kMs);
}

}  // namespace
}  // namespace incipit
