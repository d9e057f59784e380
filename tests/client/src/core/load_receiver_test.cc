// Replies that no honest node sends, and payload that was changed on its way.
#include "client/src/core/load_receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

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

// Each makes a reply that no node may send; the connection is closed, nothing is believed, and the next one works.
struct Nonsense {
  const char* name;
  wire::FrameType request;
  std::function<Task<void>(ClientFixture*, FakeNode::Connection*, wire::FrameHeader, ByteView)> answer;
};

Task<void> SendLoadReply(FakeNode::Connection* connection, uint64_t id, wire::LoadReply reply, bool last,
                         std::vector<uint8_t> payload) {
  std::vector<uint8_t> meta;
  reply.Encode(&meta);
  std::vector<iovec> pieces;
  if (!payload.empty()) pieces.push_back({payload.data(), payload.size()});
  co_await FakeNode::Reply(connection, wire::FrameType::kLoadReply, id, std::move(meta), last, std::move(pieces));
}

wire::LoadedBlock Missing(uint32_t index) { return {.index = index, .status = BlockStatus::kMiss}; }

using C = FakeNode::Connection;
using H = wire::FrameHeader;

std::vector<Nonsense> NonsenseToMatch() {
  const auto match = wire::FrameType::kMatch;
  return {
      {"unknown request id", match,
       [](ClientFixture*, C* c, H h, ByteView) -> Task<void> {
         co_await FakeNode::Reply(c, wire::FrameType::kMatchReply, h.request_id + 1000, {});
       }},
      {"reply of another type", match,
       [](ClientFixture*, C* c, H h, ByteView) -> Task<void> {
         co_await FakeNode::Reply(c, wire::FrameType::kReleaseReply, h.request_id, {});
       }},
      {"too many answers", match,
       [](ClientFixture*, C* c, H h, ByteView meta) -> Task<void> {
         wire::MatchReply reply;
         reply.presence.assign(wire::Match::Decode(meta)->keys.size() + 1, Presence::kRam);
         std::vector<uint8_t> out;
         reply.Encode(&out);
         co_await FakeNode::Reply(c, wire::FrameType::kMatchReply, h.request_id, std::move(out));
       }},
      {"meta that does not decode", match,
       [](ClientFixture*, C* c, H h, ByteView) -> Task<void> {
         std::vector<uint8_t> out(7, 0xff);
         co_await FakeNode::Reply(c, wire::FrameType::kMatchReply, h.request_id, std::move(out));
       }},
      {"bytes that are no frame", match,
       [](ClientFixture*, C* c, H, ByteView) -> Task<void> {
         std::vector<uint8_t> bytes(48, 0x21);
         const iovec piece{bytes.data(), bytes.size()};
         co_await c->channel->stream()->Write({&piece, 1});
       }},
  };
}

std::vector<Nonsense> NonsenseToLoad() {
  const auto load = wire::FrameType::kLoad;
  return {
      {"index out of range", load,
       [](ClientFixture*, C* c, H h, ByteView) -> Task<void> {
         wire::LoadReply reply;
         reply.blocks = {Missing(4)};
         co_await SendLoadReply(c, h.request_id, std::move(reply), true, {});
       }},
      {"index twice in one reply", load,
       [](ClientFixture*, C* c, H h, ByteView) -> Task<void> {
         wire::LoadReply reply;
         reply.blocks = {Missing(1), Missing(1)};
         co_await SendLoadReply(c, h.request_id, std::move(reply), true, {});
       }},
      {"index twice in two replies", load,
       [](ClientFixture*, C* c, H h, ByteView) -> Task<void> {
         wire::LoadReply reply;
         reply.blocks = {Missing(1)};
         co_await SendLoadReply(c, h.request_id, reply, false, {});
         co_await SendLoadReply(c, h.request_id, std::move(reply), true, {});
       }},
      {"last reply too early", load,
       [](ClientFixture*, C* c, H h, ByteView) -> Task<void> {
         wire::LoadReply reply;
         reply.blocks = {Missing(1)};
         co_await SendLoadReply(c, h.request_id, std::move(reply), true, {});
       }},
      {"payload shorter than listed", load,
       [](ClientFixture* f, C* c, H h, ByteView) -> Task<void> {
         wire::LoadReply reply;
         reply.blocks = {{.index = 0,
                          .status = BlockStatus::kOk,
                          .tier = Presence::kRam,
                          .segments = f->node->blocks.begin()->second.segments}};
         std::vector<uint8_t> payload(255);
         co_await SendLoadReply(c, h.request_id, std::move(reply), false, std::move(payload));
       }},
      {"payload longer than listed", load,
       [](ClientFixture*, C* c, H h, ByteView) -> Task<void> {
         wire::LoadReply reply;
         reply.blocks = {Missing(0)};
         std::vector<uint8_t> payload(100);
         co_await SendLoadReply(c, h.request_id, std::move(reply), false, std::move(payload));
       }},
      {"connection closed inside a frame", load,
       [](ClientFixture*, C* c, H h, ByteView) -> Task<void> {
         H out = h;
         out.type = wire::FrameType::kLoadReply;
         out.meta_bytes = 100;
         auto bytes = out.Encode(std::vector<uint8_t>(100, 0));
         const iovec piece{bytes.data(), bytes.size()};
         co_await c->channel->stream()->Write({&piece, 1});
         c->channel->Close();
       }},
  };
}

TEST(LoadReceiver, NonsenseIsNotBelievedAndTheNextConnectionWorks) {
  uint64_t seed = 20;
  std::vector<Nonsense> all = NonsenseToMatch();
  for (Nonsense& nonsense : NonsenseToLoad()) all.push_back(std::move(nonsense));
  for (const Nonsense& nonsense : all) {
    SCOPED_TRACE(nonsense.name);
    ClientFixture f(seed++);
    f.ConnectAndWait();
    ASSERT_TRUE(f.StoreChain(1, 4).ok());
    Answer(&f, nonsense.request, [&](auto* connection, auto header, auto meta) -> Task<void> {
      co_await nonsense.answer(&f, connection, header, meta);
    });
    const uint64_t connections = f.client->counters().connections;
    if (nonsense.request == wire::FrameType::kMatch) {
      EXPECT_EQ(f.MatchChain(1, 4, 0, 100)->longest_tokens(), 0u);
    } else {
      auto loaded = f.LoadChain(1, 4, 100);
      EXPECT_EQ(loaded.result->hits, 0u);
      EXPECT_EQ(loaded.wrong_blocks, 0u);
    }
    f.node->intercept = nullptr;
    f.loop.RunUntil(f.loop.NowNs() + 10'000 * kMs);
    EXPECT_EQ(f.LoadChain(1, 4).result->hits, 4u);
    EXPECT_GT(f.client->counters().connections, connections);
  }
}

TEST(LoadReceiver, BlockCutDifferentlyIsRejectedAndTheOthersLand) {
  ClientFixture f(50);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 6).ok());
  FakeNode::Block& block = f.node->blocks.begin()->second;
  block.segments[0] = {.stored_bytes = 32, .raw_bytes = 32, .checksum = Xxh3Of(ByteView(block.payload).first(32))};
  block.segments[1] = {
      .stored_bytes = 96, .raw_bytes = 96, .checksum = Xxh3Of(ByteView(block.payload).subspan(32, 96))};
  auto loaded = f.LoadChain(1, 6);
  EXPECT_EQ(loaded.result->hits, 5u);
  EXPECT_EQ(loaded.wrong_blocks, 0u);
  EXPECT_EQ(std::count(loaded.result->status.begin(), loaded.result->status.end(), BlockStatus::kRejected), 1);
}

TEST(LoadReceiver, EveryFlippedPayloadBitIsDamageNotAHit) {
  ClientFixture f(51);
  f.ConnectAndWait();
  ASSERT_TRUE(f.StoreChain(1, 3).ok());
  FakeNode::Block& block = std::next(f.node->blocks.begin())->second;
  for (size_t bit = 0; bit < block.payload.size() * 8; ++bit) {
    block.payload[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    auto loaded = f.LoadChain(1, 3);
    EXPECT_EQ(loaded.result->hits, 2u) << bit;
    EXPECT_EQ(loaded.wrong_blocks, 0u) << bit;
    block.payload[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
  }
  EXPECT_EQ(f.client->counters().damaged_segments, block.payload.size() * 8);
}

// Blocks of several megabytes, destinations in pieces of any size, transfers of any size.
TEST(LoadReceiver, LargeBlocksLandInScatteredPieces) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Layout layout{.name = "large"};
    layout.groups.push_back({.name = "latent", .block_tokens = 64, .layers = 5, .bytes_per_entry = 6400});
    ClientFixture f(seed, layout);
    f.ConnectAndWait();
    ASSERT_EQ(f.StoreChain(1, 2)->Count(BlockStatus::kOk), 2u);
    f.network.set_faults({.partial_per_mille = 500});
    const std::vector<BlockKey> keys = f.Keys(1, 2);
    std::vector<std::vector<uint8_t>> buffers(2, std::vector<uint8_t>(f.group().BlockBytes(), 0));
    std::vector<std::vector<iovec>> pieces(2);
    LoadRequest request;
    for (size_t i = 0; i < 2; ++i) {
      for (size_t at = 0; at < buffers[i].size();) {
        const size_t bytes = std::min<size_t>(f.random->Below(200'000), buffers[i].size() - at);
        pieces[i].push_back({buffers[i].data() + at, bytes});
        at += bytes;
      }
      request.items.push_back({.key = keys[i].bytes(), .pieces = pieces[i]});
    }
    auto loaded = f.loop.Run(f.client->Load(request));
    ASSERT_EQ(loaded->hits, 2u);
    for (size_t i = 0; i < 2; ++i) EXPECT_EQ(buffers[i], PayloadOf(keys[i], f.group().BlockBytes()));
  }
}

}  // namespace
}  // namespace incipit
