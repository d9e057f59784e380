#include "cache/shard/session.h"

#include <algorithm>

#include "tests/cache/shard/session_fixture.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::PayloadOf;
using testing::SmallLayout;
using testing::WireClient;

class SessionTest : public testing::SessionFixture {};

TEST_F(SessionTest, StoredBytesComeBackExactly) {
  Start();
  auto writer = Connect();
  const std::vector<std::vector<uint8_t>> keys = {KeyOf(1), KeyOf(2), KeyOf(3)};
  EXPECT_EQ(StoreBlocks(writer.get(), keys), std::vector<wire::BlockStatus>(3, wire::BlockStatus::kOk));
  auto reader = Connect();
  auto answer = reader->Call(wire::FrameType::kLoad, LoadOf({KeyOf(2), KeyOf(9), KeyOf(1)}));
  ASSERT_TRUE(answer.ok()) << answer.status();
  auto reply = wire::LoadReply::Decode(answer->meta);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(answer->header.flags, wire::kFrameFlagLast);
  ASSERT_EQ(reply->blocks.size(), 3u);
  EXPECT_EQ(reply->blocks[1].status, wire::BlockStatus::kMiss);
  std::vector<uint8_t> expected = PayloadOf(KeyOf(2), layout_.groups[0].BlockBytes());
  const auto second = PayloadOf(KeyOf(1), layout_.groups[0].BlockBytes());
  expected.insert(expected.end(), second.begin(), second.end());
  EXPECT_EQ(answer->payload, expected);
}

TEST_F(SessionTest, SegmentRangeCarriesOnlyItsBytes) {
  Start();
  auto client = Connect();
  StoreBlocks(client.get(), {KeyOf(1)});
  const std::vector<std::vector<uint8_t>> keys = {KeyOf(1)};
  wire::Load load = LoadOf(keys);
  load.first_segment = 1;
  load.segment_count = 2;
  auto answer = client->Call(wire::FrameType::kLoad, load);
  ASSERT_TRUE(answer.ok());
  const auto whole = PayloadOf(KeyOf(1), layout_.groups[0].BlockBytes());
  const uint64_t segment = layout_.groups[0].SegmentBytes();
  EXPECT_EQ(answer->payload, std::vector<uint8_t>(whole.begin() + segment, whole.begin() + 3 * segment));
}

TEST_F(SessionTest, OtherTenantsAndLayoutsSeeNothing) {
  Start();
  auto writer = Connect();
  StoreBlocks(writer.get(), {KeyOf(1)});
  WireClient stranger(&loop_, &network_, "node");
  ASSERT_TRUE(stranger.SayHello(0, "stranger").ok());
  ASSERT_TRUE(stranger.Open(layout_).ok());
  ASSERT_TRUE(stranger.Open(SmallLayout(8, 32)).ok());
  for (uint32_t name_space : {0u, 1u}) {
    const std::vector<std::vector<uint8_t>> keys = {KeyOf(1)};
    wire::Load load = LoadOf(keys);
    load.namespace_id = name_space;
    auto answer = stranger.Call(wire::FrameType::kLoad, load);
    EXPECT_EQ(wire::LoadReply::Decode(answer->meta)->blocks[0].status, wire::BlockStatus::kMiss);
  }
}

TEST_F(SessionTest, UnknownGroupAndNamespaceAreRefused) {
  Start();
  auto client = Connect();
  const std::vector<std::vector<uint8_t>> keys = {KeyOf(1)};
  wire::Load load = LoadOf(keys);
  load.keys[0] = {9, 0, 0, keys[0]};
  std::vector<uint8_t> meta;
  load.Encode(&meta);
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorFor(client.get(), wire::FrameType::kLoad, meta)));
  load = LoadOf(keys);
  load.namespace_id = 3;
  meta.clear();
  load.Encode(&meta);
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorFor(client.get(), wire::FrameType::kLoad, meta)));
  EXPECT_TRUE(StillServes(client.get()));
}

TEST_F(SessionTest, GarbageEndsOnlyItsOwnConnection) {
  Start();
  auto good = Connect();
  auto bad = Connect();
  ASSERT_TRUE(bad->SendRaw(std::vector<uint8_t>(64, 0xee)).ok());
  auto answer = bad->Receive();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(absl::IsInvalidArgument(WireClient::ErrorOf(*answer))) << WireClient::ErrorOf(*answer);
  EXPECT_TRUE(absl::IsUnavailable(bad->Receive().status()));
  EXPECT_TRUE(StillServes(good.get()));
}

TEST_F(SessionTest, StaleEpochIsRefused) {
  Start();
  auto client = Connect();
  ASSERT_TRUE(client->SendFrame(wire::FrameType::kPing, 8, {}, {}, 77).ok());
  auto answer = client->Receive();
  EXPECT_TRUE(absl::IsFailedPrecondition(WireClient::ErrorOf(*answer)));
  EXPECT_TRUE(StillServes(client.get()));
}

TEST_F(SessionTest, UnknownProtocolVersionsAreRefusedWithBothRanges) {
  Start();
  WireClient client(&loop_, &network_, "node");
  wire::Hello hello;
  hello.min_version = 7;
  hello.max_version = 9;
  hello.tenant = "default";
  auto answer = client.Call(wire::FrameType::kHello, hello);
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(WireClient::ErrorOf(*answer)));
}

TEST_F(SessionTest, ConnectionsBeyondTheLimitAreRefused) {
  options_.limits.max_sessions = 2;
  Start();
  auto first = Connect();
  auto second = Connect();
  WireClient third(&loop_, &network_, "node");
  EXPECT_TRUE(absl::IsResourceExhausted(third.SayHello().status()));
}

TEST_F(SessionTest, ClientThatStopsReadingIsCutOff) {
  layout_ = SmallLayout(4, 4096);
  options_.limits.client_stall_ms = 100;
  Start();
  auto client = Connect();
  std::vector<std::vector<uint8_t>> keys;
  for (uint64_t i = 0; i < 8; ++i) keys.push_back(KeyOf(i));
  StoreBlocks(client.get(), keys);
  std::vector<uint8_t> meta;
  LoadOf(keys).Encode(&meta);
  ASSERT_TRUE(client->SendFrame(wire::FrameType::kLoad, 1, meta).ok());
  loop_.RunUntil(loop_.NowNs() + 1'000'000'000);
  EXPECT_EQ(node_.shard(0)->counters()->sessions_stalled, 1u);
  EXPECT_EQ(node_.shard(0)->Report().sessions, 0u);
}

TEST_F(SessionTest, ClientThatLeavesAFrameUnfinishedIsCutOffAndAnIdleOneIsNot) {
  options_.limits.client_stall_ms = 100;
  Start();
  auto idle = Connect();
  wire::FrameHeader header;
  header.type = wire::FrameType::kMatch;
  header.meta_bytes = 100;
  const auto frame = header.Encode(std::vector<uint8_t>(100));
  for (const size_t sent : {size_t{10}, frame.size()}) {  // inside the header, before the meta
    auto client = Connect();
    ASSERT_TRUE(client->SendRaw({frame.begin(), frame.begin() + static_cast<int64_t>(sent)}).ok());
    loop_.RunUntil(loop_.NowNs() + 1'000'000'000);
    EXPECT_EQ(node_.shard(0)->Report().sessions, 1u) << sent << " bytes sent";
  }
  EXPECT_EQ(node_.shard(0)->counters()->sessions_stalled, 2u);
  ASSERT_TRUE(idle->SendFrame(wire::FrameType::kPing, 5, {}).ok());
  EXPECT_EQ(idle->Receive()->header.type, wire::FrameType::kPong);
}

TEST_F(SessionTest, LoadsBeyondTheLimitAreAnsweredBusy) {
  layout_ = SmallLayout(4, 4096);
  options_.limits.max_loads_per_session = 2;
  Start();
  auto client = Connect();
  StoreBlocks(client.get(), {KeyOf(1), KeyOf(2)});
  std::vector<uint8_t> meta;
  LoadOf({KeyOf(1), KeyOf(2)}).Encode(&meta);
  constexpr int kLoads = 64;
  for (uint64_t i = 0; i < kLoads; ++i) ASSERT_TRUE(client->SendFrame(wire::FrameType::kLoad, 100 + i, meta).ok());
  int busy = 0, served = 0;
  uint32_t first_us = 0, last_us = 0;
  for (int i = 0; i < kLoads; ++i) {
    auto answer = client->Receive();
    ASSERT_TRUE(answer.ok());
    if (answer->header.type == wire::FrameType::kLoadReply) ++served;
    if (absl::IsResourceExhausted(WireClient::ErrorOf(*answer))) {
      ++busy;
      const uint32_t retry_after_us = wire::Error::Decode(answer->meta)->retry_after_us;
      EXPECT_GT(retry_after_us, 0u);
      EXPECT_GE(retry_after_us, last_us) << "who was refused later comes later";
      last_us = retry_after_us;
      if (busy == 1) first_us = last_us;
    }
  }
  EXPECT_EQ(busy + served, kLoads);
  EXPECT_GE(busy, 1);
  EXPECT_GT(last_us, first_us) << "appointments are spread";
}

TEST_F(SessionTest, LeaseKeepsBlocksUntilReleased) {
  Start();
  auto client = Connect();
  StoreBlocks(client.get(), {KeyOf(1)});
  wire::Match match;
  const auto key = KeyOf(1);
  match.keys.push_back({0, 0, 0, key});
  match.lease_ms = 60'000;
  auto answer = client->Call(wire::FrameType::kMatch, match);
  auto reply = wire::MatchReply::Decode(answer->meta);
  ASSERT_TRUE(reply.ok());
  EXPECT_NE(reply->lease_id, 0u);
  // Far more than fits: everything but the leased block goes.
  for (uint64_t round = 0; round < 60; ++round) {
    std::vector<std::vector<uint8_t>> keys;
    for (uint64_t i = 0; i < 60; ++i) keys.push_back(KeyOf(1000 + round * 60 + i));
    StoreBlocks(client.get(), keys);
  }
  match.lease_ms = 0;
  answer = client->Call(wire::FrameType::kMatch, match);
  EXPECT_EQ(wire::MatchReply::Decode(answer->meta)->presence[0], wire::Presence::kRam);
  EXPECT_GT(node_.shard(0)->Report().store.evicted_from_ram, 0u);
  wire::Release release;
  release.id = reply->lease_id;
  ASSERT_TRUE(client->Call(wire::FrameType::kRelease, release).ok());
  EXPECT_EQ(node_.shard(0)->Report().pinned_bytes, 0u);
}

TEST_F(SessionTest, LeasesEndWithTheirSessionAndWithTime) {
  Start();
  auto client = Connect();
  StoreBlocks(client.get(), {KeyOf(1)});
  wire::Match match;
  const auto key = KeyOf(1);
  match.keys.push_back({0, 0, 0, key});
  match.lease_ms = 200;
  ASSERT_TRUE(client->Call(wire::FrameType::kMatch, match).ok());
  EXPECT_GT(node_.shard(0)->Report().pinned_bytes, 0u);
  loop_.RunUntil(loop_.NowNs() + 1'000'000'000);
  EXPECT_EQ(node_.shard(0)->Report().pinned_bytes, 0u);
  ASSERT_TRUE(client->Call(wire::FrameType::kMatch, match).ok());
  EXPECT_GT(node_.shard(0)->Report().pinned_bytes, 0u);
  client->channel()->Close();
  loop_.RunUntil(loop_.NowNs() + 10'000'000);
  EXPECT_EQ(node_.shard(0)->Report().pinned_bytes, 0u);
}

TEST_F(SessionTest, RemovedBlocksAreMisses) {
  Start();
  auto client = Connect();
  StoreBlocks(client.get(), {KeyOf(1), KeyOf(2)});
  wire::Remove remove;
  const auto one = KeyOf(1), three = KeyOf(3);
  remove.keys = {{0, 0, 0, one}, {0, 0, 0, three}};
  auto answer = client->Call(wire::FrameType::kRemove, remove);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(wire::StatusReply::Decode(answer->meta)->statuses,
            (std::vector<wire::BlockStatus>{wire::BlockStatus::kOk, wire::BlockStatus::kMiss}));
  auto loaded = client->Call(wire::FrameType::kLoad, LoadOf({KeyOf(1), KeyOf(2)}));
  auto reply = wire::LoadReply::Decode(loaded->meta);
  EXPECT_EQ(reply->blocks[0].status, wire::BlockStatus::kMiss);
  EXPECT_EQ(reply->blocks[1].status, wire::BlockStatus::kOk);
}

// What a match found may be gone by the time that its answer is sent, and its number another block's.
TEST_F(SessionTest, AMatchTouchesWhatItFoundAndNothingElse) {
  layout_ = SmallLayout(4, 4096);
  Start();
  auto slow = Connect(), other = Connect();
  BlockStore* store = node_.shard(0)->store();
  const auto id_of = [&](const std::vector<uint8_t>& key) {
    for (BlockId id = 0; id < store->end(); ++id) {
      if (store->IsHere(id) && std::ranges::equal(store->At(id).key, key)) return id;
    }
    return kNoBlock;
  };
  const auto stamp_ns = static_cast<uint64_t>(loop_.WallNs());
  const auto store_at = [&](const std::vector<std::vector<uint8_t>>& keys, uint64_t at_ns) {
    std::vector<uint8_t> payload;
    wire::Store message = StoreOf(keys, &payload);
    message.stamp_ns = at_ns;
    ASSERT_TRUE(other->Call(wire::FrameType::kStore, message, payload).ok());
  };
  std::vector<std::vector<uint8_t>> large;
  for (uint64_t i = 0; i < 8; ++i) large.push_back(KeyOf(i));
  const auto gone = KeyOf(100), stays = KeyOf(101), next = KeyOf(102);
  store_at(large, stamp_ns - 3);
  store_at({stays, gone}, stamp_ns - 3);
  const BlockId number = id_of(gone);
  // Nobody reads what is loaded, so the answer to the match waits behind it.
  std::vector<uint8_t> meta;
  LoadOf(large).Encode(&meta);
  ASSERT_TRUE(slow->SendFrame(wire::FrameType::kLoad, 1, meta).ok());
  wire::Match match;
  match.stamp_ns = stamp_ns;
  match.keys = {{0, 0, 0, gone}, {0, 0, 0, stays}};
  meta.clear();
  match.Encode(&meta);
  ASSERT_TRUE(slow->SendFrame(wire::FrameType::kMatch, 2, meta).ok());
  loop_.RunUntil(loop_.NowNs() + 10'000'000);
  ASSERT_EQ(node_.shard(0)->counters()->matches, 1u);
  ASSERT_EQ(store->StampOf(id_of(stays)), stamp_ns - 3) << "the answer comes first";
  wire::Remove remove;
  remove.keys = {{0, 0, 0, gone}};
  ASSERT_TRUE(other->Call(wire::FrameType::kRemove, remove).ok());
  store_at({next}, stamp_ns - 2);
  ASSERT_EQ(id_of(next), number);
  wire::FrameType last = wire::FrameType::kLoadReply;
  while (last == wire::FrameType::kLoadReply) {
    const auto answer = slow->Receive();
    ASSERT_TRUE(answer.ok()) << answer.status();
    last = answer->header.type;
  }
  EXPECT_EQ(last, wire::FrameType::kMatchReply);
  loop_.RunUntil(loop_.NowNs() + 10'000'000);
  EXPECT_EQ(store->StampOf(id_of(stays)), stamp_ns);
  EXPECT_EQ(store->StampOf(number), stamp_ns - 2);
}

TEST_F(SessionTest, CollidingHashesNeverGiveAnotherBlocksBytes) {
  options_.store.index_hash_bits = 8;
  Start();
  auto client = Connect();
  std::vector<std::vector<uint8_t>> keys;
  for (uint64_t i = 0; i < 1000; ++i) keys.push_back(KeyOf(i));
  for (size_t at = 0; at < keys.size(); at += 100) {
    StoreBlocks(client.get(), {keys.begin() + at, keys.begin() + at + 100});
  }
  uint64_t hits = 0;
  for (const auto& key : keys) {
    auto answer = client->Call(wire::FrameType::kLoad, LoadOf({key}));
    auto reply = wire::LoadReply::Decode(answer->meta);
    ASSERT_TRUE(reply.ok());
    if (reply->blocks[0].status != wire::BlockStatus::kOk) continue;
    ++hits;
    ASSERT_EQ(answer->payload, PayloadOf(key, layout_.groups[0].BlockBytes()));
  }
  EXPECT_GT(hits, 100u);
  EXPECT_LE(hits, 256u);
  EXPECT_GT(node_.shard(0)->Report().store.index_collisions, 1000u);
}

}  // namespace
}  // namespace incipit
