#include "client/src/core/status_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"
#include "tests/client/src/core/plan_fixture.h"

namespace incipit {
namespace {

using testing::Each;
using testing::ElementsAre;

TEST(StatusCall, OneWantedPartMakesTheBlockWanted) {
  ClientFixture f(1, {.name = "parts", .groups = {GroupOf("state", 3, 30 << 20)}});
  f.ConnectAndWait();
  const std::vector<BlockKey> keys = f.Keys(1, 3);
  for (uint16_t part : {0, 1}) f.node->blocks[{0, 0, part, std::string(AsText(keys[0].bytes()))}];
  f.node->blocks[{0, 0, 1, std::string(AsText(keys[1].bytes()))}];
  OfferRequest request;
  for (const BlockKey& key : keys) request.blocks.push_back({.key = key.bytes()});
  EXPECT_THAT(f.loop.Run(f.client->Offer(request))->status,
              ElementsAre(BlockStatus::kPresent, BlockStatus::kWanted, BlockStatus::kWanted));
}

TEST(StatusCall, HintsTravelWithTouch) {
  ClientFixture f(2);
  wire::Touch seen;
  f.node->intercept = [&seen](FakeNode::Connection*, wire::FrameHeader header, ByteView meta) -> Task<bool> {
    if (header.type == wire::FrameType::kTouch) {
      seen = *wire::Touch::Decode(meta);
      seen.keys.clear();
    }
    co_return false;
  };
  f.ConnectAndWait();
  const BlockKey key = KeyOf(1, 0);
  TouchRequest request{.blocks = {{.key = key.bytes()}}, .stamp_ns = 5, .ttl_ms = 7, .next_use_ms = 9};
  EXPECT_THAT(f.loop.Run(f.client->Touch(request))->status, ElementsAre(BlockStatus::kMiss));
  EXPECT_EQ(seen.stamp_ns, 5u);
  EXPECT_EQ(seen.ttl_ms, 7u);
  EXPECT_EQ(seen.next_use_ms, 9u);
}

TEST(StatusCall, UnreachableNodeGivesExpired) {
  ClientFixture f(3);
  f.KillNode();
  f.Connect();
  const BlockKey key = KeyOf(1, 0);
  const std::vector<BlockName> blocks = {{.key = key.bytes()}, {.key = key.bytes()}};
  EXPECT_THAT(f.loop.Run(f.client->Offer({.blocks = blocks}))->status, Each(BlockStatus::kExpired));
  EXPECT_THAT(f.loop.Run(f.client->Touch({.blocks = blocks}))->status, Each(BlockStatus::kExpired));
  EXPECT_THAT(f.loop.Run(f.client->Remove({.blocks = blocks}))->status, Each(BlockStatus::kExpired));
}

TEST(StatusCall, MistakesNameTheBlock) {
  ClientFixture f(4);
  f.ConnectAndWait();
  const BlockKey key = KeyOf(1, 0);
  RemoveRequest request{.blocks = {{.key = key.bytes()}, {.group = 3, .key = key.bytes()}}};
  const absl::Status status = f.loop.Run(f.client->Remove(request)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("remove: block 1: group 3"));
}

}  // namespace
}  // namespace incipit
