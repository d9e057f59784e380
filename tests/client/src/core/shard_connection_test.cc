// What the client does when its node is slow, dead, frozen or makes no sense.
#include "client/src/core/shard_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

using testing::Each;

constexpr int64_t kMs = 1'000'000;

// Answers requests of `type` by `answer` instead of the usual.
void Answer(ClientFixture* f, wire::FrameType type,
            std::function<Task<void>(FakeNode::Connection*, wire::FrameHeader, ByteView)> answer) {
  f->node->intercept = [type, answer](FakeNode::Connection* connection, wire::FrameHeader header,
                                      ByteView meta) -> Task<bool> {
    if (header.type != type) co_return false;
    co_await answer(connection, header, meta);
    co_return true;
  };
}

TEST(ShardConnection, SilentRequestExpiresAtItsDeadline) {
  ClientFixture f(1);
  f.ConnectAndWait();
  Answer(&f, wire::FrameType::kMatch, [](auto*, auto, auto) -> Task<void> { co_return; });
  const int64_t start_ns = f.loop.NowNs();
  auto match = f.MatchChain(1, 4, 0, 300);
  EXPECT_EQ(f.loop.NowNs() - start_ns, 300 * kMs);
  EXPECT_FALSE(match->complete);
  EXPECT_THAT(match->presence[0], Each(Presence::kMiss));
  EXPECT_EQ(f.client->counters().expired_calls, 1u);
}

TEST(ShardConnection, LateReplyToAnExpiredRequestIsDropped) {
  ClientFixture f(2);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  f.node->intercept = [&f](FakeNode::Connection*, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type == wire::FrameType::kLoad) co_await SleepUntil(&f.loop, f.loop.NowNs() + 40 * kMs);
    co_return false;
  };
  auto late = f.LoadChain(1, 4, 20);
  EXPECT_THAT(late.result->status, Each(BlockStatus::kExpired));
  EXPECT_EQ(f.LoadChain(1, 4).result->hits, 4u);
  EXPECT_EQ(f.client->counters().protocol_errors, 0u);
  EXPECT_EQ(f.client->counters().connections, 1u);
}

TEST(ShardConnection, DeadlineInsideAPayloadLeavesMemoryAlone) {
  ClientFixture f(3);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 2).ok());
  // The reply stops in the middle of its payload, and goes on after the deadline.
  Answer(&f, wire::FrameType::kLoad, [&f](FakeNode::Connection* connection, auto header, auto) -> Task<void> {
    FakeNode::Block& block = f.node->blocks.begin()->second;
    wire::LoadReply reply;
    for (uint32_t i = 0; i < 2; ++i) {
      reply.blocks.push_back(
          {.index = i, .status = BlockStatus::kOk, .tier = Presence::kRam, .segments = block.segments});
    }
    std::vector<uint8_t> meta;
    reply.Encode(&meta);
    wire::FrameHeader out;
    out.type = wire::FrameType::kLoadReply;
    out.flags = wire::kFrameFlagLast;
    out.request_id = header.request_id;
    out.meta_bytes = static_cast<uint32_t>(meta.size());
    out.payload_bytes = 2 * block.payload.size();
    auto encoded = out.Encode(meta);
    std::vector<uint8_t> bytes(encoded.begin(), encoded.end());
    bytes.insert(bytes.end(), meta.begin(), meta.end());
    bytes.insert(bytes.end(), block.payload.begin(), block.payload.end());
    bytes.insert(bytes.end(), block.payload.begin(), block.payload.end());
    const size_t first = bytes.size() - 300;
    for (size_t at = 0; at < bytes.size();) {
      if (at >= first) co_await SleepUntil(&f.loop, f.loop.NowNs() + 30 * kMs);
      const iovec piece{bytes.data() + at, at < first ? first - at : bytes.size() - at};
      auto sent = co_await connection->channel->stream()->Write({&piece, 1});
      if (!sent.ok()) co_return;
      at += *sent;
    }
  });
  auto loaded = f.LoadChain(1, 2, 20);
  EXPECT_THAT(loaded.result->status, Each(BlockStatus::kExpired));
  f.node->intercept = nullptr;
  auto again = f.LoadChain(1, 2);
  EXPECT_EQ(again.result->hits, 2u);
  EXPECT_EQ(again.wrong_blocks, 0u);
  EXPECT_EQ(f.client->counters().connections, 1u);
}

TEST(ShardConnection, FrozenNodeOpensTheBreakerAndThawedNodeClosesIt) {
  ClientFixture f(4);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  f.network.Freeze(ClientFixture::kAddress, true);
  f.node->silent_hello = true;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(f.MatchChain(1, 4, 0, 200)->longest_tokens(), 0u);
  EXPECT_EQ(f.client->counters().breaker_opened, 1u);
  const int64_t start_ns = f.loop.NowNs();
  EXPECT_EQ(f.MatchChain(1, 4)->longest_tokens(), 0u);
  EXPECT_THAT(f.LoadChain(1, 4).result->status, Each(BlockStatus::kExpired));
  EXPECT_LE(f.loop.NowNs() - start_ns, 50 * kMs) << "misses at once while the breaker is open";
  f.network.Freeze(ClientFixture::kAddress, false);
  f.node->silent_hello = false;
  f.loop.RunUntil(f.loop.NowNs() + 5000 * kMs);
  EXPECT_EQ(f.MatchChain(1, 4)->longest_tokens(), 64u);
}

TEST(ShardConnection, ACallThatExpiresAfterALongSilenceIsTheLastOneThatWaits) {
  ClientFixture f(18);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  f.network.Freeze(ClientFixture::kAddress, true);
  EXPECT_EQ(f.MatchChain(1, 4, 0, 3000)->longest_tokens(), 0u);
  EXPECT_EQ(f.client->counters().breaker_opened, 1u);
  const int64_t start_ns = f.loop.NowNs();
  EXPECT_THAT(f.LoadChain(1, 4).result->status, Each(BlockStatus::kExpired));
  EXPECT_LE(f.loop.NowNs() - start_ns, 50 * kMs);
  f.network.Freeze(ClientFixture::kAddress, false);
  f.loop.RunUntil(f.loop.NowNs() + 5000 * kMs);
  EXPECT_EQ(f.MatchChain(1, 4)->longest_tokens(), 64u);
}

TEST(ShardConnection, PeerThatNeverFinishesTheHandshakeOpensTheBreaker) {
  ClientFixture f(17);
  f.ConnectAndWait();
  f.KillNode();
  f.MakeNode();
  f.node->silent_hello = true;  // It takes connections, and says nothing on them.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(f.MatchChain(1, 4, 0, 200)->longest_tokens(), 0u);
  EXPECT_EQ(f.client->counters().breaker_opened, 1u);
  const int64_t start_ns = f.loop.NowNs();
  EXPECT_EQ(f.MatchChain(1, 4, 0, 200)->longest_tokens(), 0u);
  EXPECT_LE(f.loop.NowNs() - start_ns, 50 * kMs) << "misses at once while the breaker is open";
  f.node->silent_hello = false;
  f.loop.RunUntil(f.loop.NowNs() + 10'000 * kMs);
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  EXPECT_EQ(f.MatchChain(1, 4)->longest_tokens(), 64u);
}

TEST(ShardConnection, FrozenNodeInsideAStoreEndsItByTheDeadline) {
  ClientFixture f(5);
  f.ConnectAndWait();
  f.network.Freeze(ClientFixture::kAddress, true);
  const int64_t start_ns = f.loop.NowNs();
  // More than the pipe takes: the sending itself is stuck.
  EXPECT_FALSE(f.StoreChain(1, 2000, false).ok());
  EXPECT_EQ(f.loop.NowNs() - start_ns, 2000 * kMs);
  EXPECT_EQ(f.client->counters().breaker_opened, 1u);
}

TEST(ShardConnection, SilenceOfAShardThatTakesAStoreIsNoLongSilence) {
  Layout layout = SmallLayout();
  layout.groups[0].bytes_per_entry = 4096;
  ClientFixture f(19, layout);
  f.ConnectAndWait();
  Answer(&f, wire::FrameType::kStore, [](auto*, auto, auto) -> Task<void> { co_return; });
  EXPECT_FALSE(f.StoreChain(1, 40, false).ok());
  EXPECT_EQ(f.client->counters().breaker_opened, 0u) << "as long as bytes go out, a slow network looks the same";
}

TEST(ShardConnection, KilledNodeMissesAndItsSuccessorIsUsed) {
  ClientFixture f(6);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  f.KillNode();
  EXPECT_EQ(f.MatchChain(1, 4)->longest_tokens(), 0u);
  EXPECT_THAT(f.LoadChain(1, 4).result->status, Each(BlockStatus::kExpired));
  f.MakeNode();
  f.node->incarnation = 2;
  f.loop.RunUntil(f.loop.NowNs() + 5000 * kMs);
  EXPECT_EQ(f.StoreChain(1, 4)->Count(BlockStatus::kOk), 4u);
  EXPECT_EQ(f.LoadChain(1, 4).result->hits, 4u);
  EXPECT_EQ(f.client->node().incarnation, 2u);
}

TEST(ShardConnection, NodeThatComesBackWithOtherShardsIsLearntAnew) {
  for (uint16_t before : {1, 2, 5}) {
    for (uint16_t after : {1, 3, 4}) {
      ClientFixture f(100 + before * 10 + after);
      f.node->shard_count = before;
      f.node->any_shard = before - 1;
      f.ConnectAndWait();
      f.KillNode();
      f.MakeNode();
      f.node->shard_count = after;
      f.loop.RunUntil(f.loop.NowNs() + 10'000 * kMs);
      auto stored = f.StoreChain(1, 40);
      ASSERT_TRUE(stored.ok()) << before << " to " << after << ": " << stored.status();
      EXPECT_EQ(stored->Count(BlockStatus::kOk), 40u) << before << " to " << after;
      EXPECT_EQ(f.LoadChain(1, 40).result->hits, 40u);
      EXPECT_EQ(f.client->node().shard_count, after);
    }
  }
}

TEST(ShardConnection, ConnectionLostBetweenCallsCostsNothing) {
  ClientFixture f(7);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  // The node closes after it has read the request, before any answer: tried once more.
  auto closed = std::make_shared<bool>(false);
  f.node->intercept = [closed](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != wire::FrameType::kLoad || *closed) co_return false;
    *closed = true;
    connection->channel->Close();
    co_return true;
  };
  auto loaded = f.LoadChain(1, 4);
  EXPECT_EQ(loaded.result->hits, 4u);
  EXPECT_EQ(f.client->counters().connections, 2u);
}

TEST(ShardConnection, BusyIsTriedAgainAfterTheStatedTime) {
  ClientFixture f(8);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  auto left = std::make_shared<int>(2);
  f.node->intercept = [left](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != wire::FrameType::kLoad || *left == 0) co_return false;
    --*left;
    co_await FakeNode::ReplyError(connection, header.request_id, absl::StatusCode::kResourceExhausted, 500);
    co_return true;
  };
  EXPECT_EQ(f.LoadChain(1, 4).result->hits, 4u);
  EXPECT_EQ(f.client->counters().busy_replies, 2u);
  *left = 1000;
  EXPECT_THAT(f.LoadChain(1, 4).result->status, Each(BlockStatus::kBusy));
  EXPECT_EQ(f.client->counters().breaker_opened, 0u);
}

TEST(ShardConnection, BusyIsToldAtOnceIfNoRetriesAreWanted) {
  ClientFixture f(9);
  f.options.busy_retries = 0;
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  f.node->intercept = [](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != wire::FrameType::kLoad) co_return false;
    co_await FakeNode::ReplyError(connection, header.request_id, absl::StatusCode::kResourceExhausted, 500);
    co_return true;
  };
  EXPECT_THAT(f.LoadChain(1, 4).result->status, Each(BlockStatus::kBusy));
  EXPECT_EQ(f.client->counters().busy_replies, 1u);
}

TEST(ShardConnection, NoLoadIsSentBeforeTheTimeThatABusyAnswerStates) {
  ClientFixture f(9);
  f.options.busy_retries = 0;
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  auto asked = std::make_shared<int>(0);
  f.node->intercept = [asked](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != wire::FrameType::kLoad || (*asked)++ > 0) co_return false;
    co_await FakeNode::ReplyError(connection, header.request_id, absl::StatusCode::kResourceExhausted,
                                  200'000);  // LoadChain lets 50 ms pass
    co_return true;
  };
  EXPECT_THAT(f.LoadChain(1, 4).result->status, Each(BlockStatus::kBusy));
  EXPECT_THAT(f.LoadChain(1, 4).result->status, Each(BlockStatus::kBusy));
  EXPECT_EQ(*asked, 1);
  EXPECT_EQ(f.client->counters().loads_held_back, 1u);
  f.loop.RunUntil(f.loop.NowNs() + 200'000'000);
  EXPECT_EQ(f.LoadChain(1, 4).result->hits, 4u);
  EXPECT_EQ(*asked, 2);
}

TEST(ShardConnection, BusyNodeIsLeftAloneForASecondAtMost) {
  ClientFixture f(9);
  f.options.busy_retries = 0;
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  auto asked = std::make_shared<int>(0);
  f.node->intercept = [asked](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != wire::FrameType::kLoad || (*asked)++ > 0) co_return false;
    co_await FakeNode::ReplyError(connection, header.request_id, absl::StatusCode::kResourceExhausted, UINT32_MAX);
    co_return true;
  };
  EXPECT_THAT(f.LoadChain(1, 4).result->status, Each(BlockStatus::kBusy));
  f.loop.RunUntil(f.loop.NowNs() + 1'000'000'000);
  EXPECT_EQ(f.LoadChain(1, 4).result->hits, 4u);
}

TEST(ShardConnection, ErrorForTheConnectionEndsItWithoutBeingNonsense) {
  ClientFixture f(10);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  auto told = std::make_shared<bool>(false);
  f.node->intercept = [told](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != wire::FrameType::kLoad || *told) co_return false;
    *told = true;
    co_await FakeNode::ReplyError(connection, 0, absl::StatusCode::kUnavailable);
    co_return true;
  };
  EXPECT_EQ(f.LoadChain(1, 4).result->hits, 4u) << "tried once more on a new connection";
  EXPECT_EQ(f.client->counters().protocol_errors, 0u);
  EXPECT_EQ(f.client->counters().connections, 2u);
}

TEST(ShardConnection, ErrorReplyEndsOneRequestOnly) {
  ClientFixture f(9);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  Answer(&f, wire::FrameType::kMatch, [](FakeNode::Connection* connection, auto header, auto) -> Task<void> {
    co_await FakeNode::ReplyError(connection, header.request_id, absl::StatusCode::kInternal);
  });
  EXPECT_EQ(f.MatchChain(1, 4)->longest_tokens(), 0u);
  EXPECT_EQ(f.LoadChain(1, 4).result->hits, 4u);
  EXPECT_EQ(f.client->counters().connections, 1u);
}

// Any mixture of faults: calls end by their deadlines, hits are right, and when the faults go all is as before.
TEST(ShardConnection, FaultsCostHitsOnly) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    ClientFixture f(seed);
    f.node->shard_count = static_cast<uint16_t>(1 + seed % 3);
    f.ConnectAndWait();
    const bool fragile = seed % 2 == 0;
    f.network.set_faults({.cut_per_mille = fragile ? 20u : 0u,
                          .flip_per_mille = fragile ? 20u : 5u,
                          .partial_per_mille = 500,
                          .delay_per_mille = 100,
                          .refuse_per_mille = 200,
                          .max_delay_ns = 50 * kMs});
    auto choices = MakeSeededRandom(seed * 31);
    for (int step = 0; step < 25; ++step) {
      const uint64_t chain = choices->Below(4);
      const size_t count = 1 + choices->Below(30);
      const int64_t start_ns = f.loop.NowNs();
      switch (choices->Below(3)) {
        case 0: {
          auto stored = f.StoreChain(chain, count);
          EXPECT_TRUE(stored.ok() || absl::IsUnavailable(stored.status())) << stored.status();
          break;
        }
        case 1:
          EXPECT_TRUE(f.MatchChain(chain, count, 1000).ok());
          break;
        default: {
          auto loaded = f.LoadChain(chain, count, 300);
          ASSERT_TRUE(loaded.result.ok());
          EXPECT_EQ(loaded.wrong_blocks, 0u);
          break;
        }
      }
      EXPECT_LE(f.loop.NowNs() - start_ns, 2200 * kMs) << "past the deadline by more than a transfer's delay";
    }
    f.network.set_faults({});
    f.loop.RunUntil(f.loop.NowNs() + 20'000 * kMs);
    ASSERT_TRUE(f.StoreChain(9, 20).ok());
    EXPECT_EQ(f.LoadChain(9, 20).result->hits, 20u);
  }
}

}  // namespace
}  // namespace incipit
