#include "client/src/core/load_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

using testing::Each;

// 64 KiB a block.
Layout LargerLayout() {
  Layout layout{.name = "larger"};
  layout.groups.push_back({.name = "latent", .block_tokens = 16, .layers = 4, .bytes_per_entry = 1024});
  return layout;
}

TEST(LoadCall, BytesInFlightAreBounded) {
  ClientFixture f(1, LargerLayout());
  f.options.max_inflight_bytes = 16 * kMiB;
  f.ConnectAndWait();
  // Loads are held back: how many does the client send before it has an answer?
  f.node->intercept = [](FakeNode::Connection*, wire::FrameHeader header, ByteView) -> Task<bool> {
    co_return header.type == wire::FrameType::kLoad;
  };
  std::vector<uint8_t> buffer(64 * 1024);
  const std::vector<BlockKey> keys = f.Keys(1, 1000);
  LoadRequest request;
  request.deadline_ms = 100;
  for (const BlockKey& key : keys) request.items.push_back({.key = key.bytes(), .buffer = {buffer.data(), 64 * 1024}});
  auto result = f.loop.Run(f.client->Load(request));
  EXPECT_THAT(result->status, Each(BlockStatus::kExpired));
  EXPECT_EQ(f.node->requests[wire::FrameType::kLoad], 2) << "8 MiB each";
  f.node->intercept = nullptr;
  EXPECT_THAT(f.loop.Run(f.client->Load(request))->status, Each(BlockStatus::kMiss));
}

TEST(LoadCall, StatusesOfTheNodeArePassedOn) {
  ClientFixture f(2);
  f.ConnectAndWait();
  const std::vector<BlockStatus> statuses = {BlockStatus::kMiss,    BlockStatus::kBusy,    BlockStatus::kDamaged,
                                             BlockStatus::kIoError, BlockStatus::kExpired, BlockStatus::kRejected};
  f.node->intercept = [&](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != wire::FrameType::kLoad) co_return false;
    wire::LoadReply reply;
    for (uint32_t i = 0; i < statuses.size(); ++i) reply.blocks.push_back({.index = i, .status = statuses[i]});
    std::vector<uint8_t> meta;
    reply.Encode(&meta);
    co_await FakeNode::Reply(connection, wire::FrameType::kLoadReply, header.request_id, std::move(meta));
    co_return true;
  };
  auto loaded = f.LoadChain(1, statuses.size());
  EXPECT_EQ(loaded.result->status, statuses);
  EXPECT_THAT(loaded.result->tier, Each(Presence::kMiss));
}

TEST(LoadCall, TierOfEachHitIsTold) {
  ClientFixture f(3);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 4).ok());
  f.node->blocks[{0, 0, 0, std::string(AsText(KeyOf(1, 2).bytes()))}].tier = Presence::kNvme;
  auto loaded = f.LoadChain(1, 5);
  EXPECT_THAT(loaded.result->tier,
              testing::ElementsAre(Presence::kRam, Presence::kRam, Presence::kNvme, Presence::kRam, Presence::kMiss));
}

TEST(LoadCall, ErrorAfterSomeRepliesLeavesTheRestMissing) {
  ClientFixture f(4);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 6).ok());
  f.node->intercept = [&f](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != wire::FrameType::kLoad) co_return false;
    FakeNode::Block& block = f.node->blocks[{0, 0, 0, std::string(AsText(KeyOf(1, 3).bytes()))}];
    wire::LoadReply reply;
    reply.blocks = {{.index = 3, .status = BlockStatus::kOk, .tier = Presence::kRam, .segments = block.segments}};
    std::vector<uint8_t> meta;
    reply.Encode(&meta);
    std::vector<iovec> payload = {{block.payload.data(), block.payload.size()}};
    co_await FakeNode::Reply(connection, wire::FrameType::kLoadReply, header.request_id, std::move(meta), false,
                             std::move(payload));
    co_await FakeNode::ReplyError(connection, header.request_id, absl::StatusCode::kResourceExhausted, 100);
    co_return true;
  };
  auto loaded = f.LoadChain(1, 6);
  EXPECT_EQ(loaded.result->hits, 1u);
  EXPECT_EQ(loaded.result->status[3], BlockStatus::kOk);
  EXPECT_EQ(loaded.result->status[0], BlockStatus::kBusy);
  EXPECT_EQ(loaded.wrong_blocks, 0u);
}

}  // namespace
}  // namespace incipit
