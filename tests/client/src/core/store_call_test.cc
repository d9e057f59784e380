#include "client/src/core/store_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

TEST(StoreCall, ScatteredPiecesArriveInOrder) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    ClientFixture f(seed);
    f.ConnectAndWait();
    const BlockKey key = KeyOf(1, 0);
    std::vector<uint8_t> payload = PayloadOf(key, 256);
    std::vector<iovec> pieces;
    for (size_t at = 0; at < payload.size();) {
      const size_t bytes = std::min<size_t>(f.random->Below(40), payload.size() - at);
      pieces.push_back({payload.data() + at, bytes});
      at += bytes;
    }
    StoreRequest request;
    request.items.push_back({.key = key.bytes(), .pieces = pieces});
    ASSERT_EQ(f.loop.Run(f.client->Store(request))->Count(BlockStatus::kOk), 1u);
    EXPECT_EQ(f.node->blocks.begin()->second.payload, payload);
    auto loaded = f.LoadChain(1, 1);
    EXPECT_EQ(loaded.result->hits, 1u);
    EXPECT_EQ(loaded.wrong_blocks, 0u);
  }
}

// The fake node has no features: a node of a release that does not know codecs 5 to 7 gets none.
TEST(StoreCall, WhatAnOlderNodeDoesNotKnowIsSealedOnly) {
  Layout layout{.name = "l"};
  layout.groups.push_back({.name = "latent", .block_tokens = 16, .layers = 4, .bytes_per_entry = 1152});
  ClientFixture f(33, layout);
  f.options.codec = "bf16-lossless";
  std::vector<uint8_t> sealing_key(SealingKey::kBytes, 1);
  sealing_key[0] = 2;
  f.options.sealing_key = *SealingKey::FromBytes(sealing_key);
  f.ConnectAndWait();
  const BlockKey key = KeyOf(1, 0);
  std::vector<uint8_t> payload(layout.groups[0].BlockBytes(), 0x3f), loaded(payload.size());  // shrinks
  StoreRequest store{.items = {{.key = key.bytes(), .buffer = {payload.data(), payload.size()}}}};
  ASSERT_EQ(f.loop.Run(f.client->Store(store))->Count(BlockStatus::kOk), 1u);
  EXPECT_EQ(f.node->blocks.begin()->second.codec, Codec::kSealed);
  LoadRequest load{.items = {{.key = key.bytes(), .buffer = {loaded.data(), loaded.size()}}}};
  EXPECT_EQ(f.loop.Run(f.client->Load(load))->hits, 1u);
  EXPECT_EQ(loaded, payload);
}

TEST(StoreCall, DepthAndStampTravelWithTheBlocks) {
  ClientFixture f(30);
  uint64_t stamp_ns = 0;
  f.node->intercept = [&](FakeNode::Connection*, wire::FrameHeader header, ByteView meta) -> Task<bool> {
    if (header.type == wire::FrameType::kStore) stamp_ns = wire::Store::Decode(meta)->stamp_ns;
    co_return false;
  };
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 3).ok());
  EXPECT_GT(stamp_ns, 0u);
  EXPECT_EQ((f.node->blocks[{0, 0, 0, std::string(AsText(KeyOf(1, 2).bytes()))}].depth_tokens), 32u);
}

TEST(StoreCall, BatchesAreBoundedInBytes) {
  Layout layout{.name = "l"};
  layout.groups.push_back({.name = "latent", .block_tokens = 16, .layers = 4, .bytes_per_entry = 8192});  // 512 KiB
  ClientFixture f(31, layout);
  f.ConnectAndWait();
  ASSERT_EQ(f.StoreChain(1, 20)->Count(BlockStatus::kOk), 20u);
  EXPECT_EQ(f.node->requests[wire::FrameType::kStore], 3) << "4 MiB each";
}

TEST(StoreCall, UnwantedBlocksKeepTheAnswerToTheOffer) {
  ClientFixture f(32);
  f.node->intercept = [](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != wire::FrameType::kOffer) co_return false;
    wire::StatusReply reply;
    reply.statuses = {BlockStatus::kBusy, BlockStatus::kWanted, BlockStatus::kRejected};
    std::vector<uint8_t> meta;
    reply.Encode(&meta);
    co_await FakeNode::Reply(connection, wire::FrameType::kOfferReply, header.request_id, std::move(meta));
    co_return true;
  };
  f.ConnectAndWait();
  EXPECT_THAT(f.StoreChain(1, 3)->status,
              testing::ElementsAre(BlockStatus::kBusy, BlockStatus::kOk, BlockStatus::kRejected));
  EXPECT_EQ(f.node->blocks.size(), 1u);
}

TEST(StoreCall, BusyAnswerBeforeThePayloadIsTakenIsTriedAgain) {
  ClientFixture f(33);
  auto left = std::make_shared<int>(1);
  f.node->intercept = [left](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != wire::FrameType::kStore || --*left < 0) co_return false;
    co_await FakeNode::ReplyError(connection, header.request_id, absl::StatusCode::kResourceExhausted, 1000);
    absl::Status discarded = co_await connection->channel->DiscardPayload();
    co_return discarded.ok();
  };
  f.ConnectAndWait();
  EXPECT_EQ(f.StoreChain(1, 2000, false)->Count(BlockStatus::kOk), 2000u);
  EXPECT_EQ(f.client->counters().busy_replies, 1u);
}

TEST(StoreCall, OneUnreachableShardCostsItsBlocksOnly) {
  ClientFixture f(34);
  f.node->shard_count = 3;
  f.ConnectAndWait();
  f.node->intercept = [](FakeNode::Connection* connection, wire::FrameHeader, ByteView) -> Task<bool> {
    co_return connection->shard == 2;
  };
  auto stored = f.StoreChain(1, 60);
  ASSERT_TRUE(stored.ok());
  EXPECT_GT(stored->Count(BlockStatus::kOk), 20u);
  EXPECT_GT(stored->Count(BlockStatus::kExpired), 5u);
  EXPECT_EQ(stored->Count(BlockStatus::kOk) + stored->Count(BlockStatus::kExpired), 60u);
}

}  // namespace
}  // namespace incipit
