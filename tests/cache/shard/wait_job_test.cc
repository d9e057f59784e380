// Claim and Wait as a client sees them, frame by frame.
#include "cache/shard/wait_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cache/shard/session_fixture.h"

namespace incipit {
namespace {

using ::testing::ElementsAre;
using testing::KeyOf;
using testing::WireClient;
using wire::BlockState;
using wire::FrameType;

constexpr int64_t kMs = 1'000'000;

class WaitJobTest : public testing::SessionFixture {
 protected:
  std::unique_ptr<WireClient> ConnectWith(uint64_t features) {
    auto client = std::make_unique<WireClient>(&loop_, &network_, "node");
    wire::Hello hello;
    hello.features = features;
    hello.tenant = "default";
    auto answer = client->Call(FrameType::kHello, hello);
    EXPECT_TRUE(answer.ok()) << answer.status();
    agreed_ = wire::HelloReply::Decode(answer->meta)->features;
    EXPECT_TRUE(client->Open(layout_).ok());
    return client;
  }
  std::unique_ptr<WireClient> Connect() { return ConnectWith(wire::kFeatureClaims); }
  wire::KeyBatch Batch() const {
    wire::KeyBatch batch;
    for (size_t i = 0; i < keys_.size(); ++i) batch.push_back({0, 0, static_cast<uint32_t>(16 * i), keys_[i]});
    return batch;
  }
  wire::ClaimReply Claim(WireClient* client, uint32_t claim_ms = 100, uint64_t claim_id = 0) {
    auto answer = client->Call(FrameType::kClaim, wire::Claim{0, claim_ms, claim_id, Batch()});
    EXPECT_TRUE(answer.ok()) << answer.status();
    auto reply = wire::ClaimReply::Decode(answer->meta);
    EXPECT_TRUE(reply.ok()) << reply.status() << WireClient::ErrorOf(*answer);
    return *reply;
  }
  void SendWait(WireClient* client, uint32_t deadline_ms) {
    std::vector<uint8_t> meta;
    wire::Wait{0, deadline_ms, Batch()}.Encode(&meta);
    ASSERT_TRUE(client->SendFrame(FrameType::kWait, 77, meta).ok());
  }
  // Takes one WaitReply into `states`; true if it was the last.
  bool Hear(WireClient* client, std::vector<BlockState>* states) {
    auto answer = client->Receive();
    EXPECT_TRUE(answer.ok()) << answer.status();
    if (!answer.ok()) return true;
    auto reply = wire::WaitReply::Decode(answer->meta);
    EXPECT_TRUE(reply.ok()) << reply.status() << WireClient::ErrorOf(*answer);
    if (!reply.ok()) return true;
    wait_id_ = reply->wait_id;
    states->resize(keys_.size());
    for (const wire::StateRun& run : reply->runs) {
      std::fill_n(states->begin() + run.first, run.keys, run.state);
    }
    return (answer->header.flags & wire::kFrameFlagLast) != 0;
  }
  ClaimTable* table() { return node_.shard(0)->claims(); }

  std::vector<std::vector<uint8_t>> keys_ = {KeyOf(1), KeyOf(2), KeyOf(3)};
  uint64_t agreed_ = 0;
  uint64_t wait_id_ = 0;
};

TEST_F(WaitJobTest, TheFeatureIsAgreedOnAndNeeded) {
  Start();
  auto old = ConnectWith(0);
  EXPECT_EQ(agreed_, 0u);
  std::vector<uint8_t> claim, wait;
  wire::Claim{0, 100, 0, Batch()}.Encode(&claim);
  wire::Wait{0, 100, Batch()}.Encode(&wait);
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorFor(old.get(), FrameType::kClaim, claim)));
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorFor(old.get(), FrameType::kWait, wait)));
  EXPECT_TRUE(StillServes(old.get()));
  auto fresh = ConnectWith(~uint64_t{0});
  EXPECT_EQ(agreed_ & wire::kFeatureClaims, wire::kFeatureClaims);
}

TEST_F(WaitJobTest, PresentBlocksAreNotClaimed) {
  Start();
  auto client = Connect();
  StoreBlocks(client.get(), {keys_[0]});
  const wire::ClaimReply reply = Claim(client.get());
  EXPECT_THAT(reply.states, ElementsAre(BlockState::kRam, BlockState::kClaimed, BlockState::kClaimed));
  EXPECT_EQ(reply.claim_id & wire::kClaimIdBit, wire::kClaimIdBit);
}

TEST_F(WaitJobTest, BlocksAreHandedOverAsTheyLand) {
  Start();
  auto writer = Connect(), waiter = Connect();
  Claim(writer.get());
  EXPECT_THAT(Claim(waiter.get()).states, ::testing::Each(BlockState::kComputing));
  SendWait(waiter.get(), 10'000);
  std::vector<BlockState> states;
  EXPECT_FALSE(Hear(waiter.get(), &states));
  EXPECT_THAT(states, ::testing::Each(BlockState::kComputing));
  StoreBlocks(writer.get(), {keys_[1]});
  EXPECT_FALSE(Hear(waiter.get(), &states));
  EXPECT_THAT(states, ElementsAre(BlockState::kComputing, BlockState::kRam, BlockState::kComputing));
  // Also what a worker without a claim stores.
  auto stranger = Connect();
  StoreBlocks(stranger.get(), {keys_[0], keys_[2]});
  EXPECT_TRUE(Hear(waiter.get(), &states));
  EXPECT_THAT(states, ::testing::Each(BlockState::kRam));
  EXPECT_EQ(table()->blocks(), 0u);
  EXPECT_EQ(table()->watched_keys(), 0u);
}

TEST_F(WaitJobTest, WhatIsHereAlreadyEndsAWaitAtOnce) {
  Start();
  auto client = Connect();
  StoreBlocks(client.get(), keys_);
  SendWait(client.get(), 10'000);
  std::vector<BlockState> states;
  EXPECT_TRUE(Hear(client.get(), &states));
  EXPECT_THAT(states, ::testing::Each(BlockState::kRam));
}

TEST_F(WaitJobTest, AWaitEndsAtItsDeadline) {
  Start();
  auto waiter = Connect();
  const int64_t start_ns = loop_.NowNs();
  SendWait(waiter.get(), 300);
  std::vector<BlockState> states;
  EXPECT_FALSE(Hear(waiter.get(), &states));
  EXPECT_THAT(states, ::testing::Each(BlockState::kFree));
  EXPECT_TRUE(Hear(waiter.get(), &states));
  EXPECT_GE(loop_.NowNs() - start_ns, 300 * kMs);
  EXPECT_LE(loop_.NowNs() - start_ns, 310 * kMs);
}

TEST_F(WaitJobTest, TheDeathOfAWorkerIsHeardAtOnce) {
  Start();
  auto writer = Connect(), waiter = Connect();
  Claim(writer.get(), 60'000);
  SendWait(waiter.get(), 50'000);
  std::vector<BlockState> states;
  EXPECT_FALSE(Hear(waiter.get(), &states));
  const int64_t start_ns = loop_.NowNs();
  writer.reset();
  EXPECT_FALSE(Hear(waiter.get(), &states));
  EXPECT_THAT(states, ::testing::Each(BlockState::kFree));
  EXPECT_LE(loop_.NowNs() - start_ns, 10 * kMs);
}

TEST_F(WaitJobTest, ASilentWorkersClaimLapses) {
  Start();
  auto writer = Connect(), waiter = Connect();
  const uint64_t claim_id = Claim(writer.get(), 60'000).claim_id;
  // Shorter from now on; the task that looks for lapsed claims sleeps until the longer one's end.
  Claim(writer.get(), 60'000, claim_id);
  keys_ = {KeyOf(10)};
  Claim(writer.get(), 200);
  SendWait(waiter.get(), 5000);
  const int64_t start_ns = loop_.NowNs();
  std::vector<BlockState> states;
  EXPECT_FALSE(Hear(waiter.get(), &states));
  EXPECT_THAT(states, ElementsAre(BlockState::kComputing));
  EXPECT_FALSE(Hear(waiter.get(), &states));
  EXPECT_THAT(states, ElementsAre(BlockState::kFree));
  EXPECT_LE(loop_.NowNs() - start_ns, 210 * kMs);
}

TEST_F(WaitJobTest, ReleaseEndsClaimsAndWaitsOfItsOwnSession) {
  Start();
  auto writer = Connect(), waiter = Connect();
  const uint64_t claim_id = Claim(writer.get()).claim_id;
  SendWait(waiter.get(), 50'000);
  std::vector<BlockState> states;
  EXPECT_FALSE(Hear(waiter.get(), &states));
  ASSERT_TRUE(writer->Call(FrameType::kRelease, wire::Release{wait_id_}).ok());
  ASSERT_TRUE(waiter->Call(FrameType::kRelease, wire::Release{claim_id}).ok());
  EXPECT_EQ(table()->claimed_blocks(), 3u);
  EXPECT_EQ(table()->watched_keys(), 3u);
  ASSERT_TRUE(writer->Call(FrameType::kRelease, wire::Release{claim_id}).ok());
  EXPECT_EQ(table()->claimed_blocks(), 0u);
  EXPECT_FALSE(Hear(waiter.get(), &states));
  std::vector<uint8_t> release;
  wire::Release{wait_id_}.Encode(&release);
  ASSERT_TRUE(waiter->SendFrame(FrameType::kRelease, 78, release).ok());
  // The reply to Release and the last WaitReply, in either order.
  bool released = false, ended = false;
  for (int i = 0; i < 2; ++i) {
    auto answer = waiter->Receive();
    ASSERT_TRUE(answer.ok());
    released |= answer->header.type == FrameType::kReleaseReply;
    ended |= answer->header.type == FrameType::kWaitReply && (answer->header.flags & wire::kFrameFlagLast) != 0;
  }
  EXPECT_TRUE(released && ended);
  EXPECT_EQ(table()->watched_keys(), 0u);
}

TEST_F(WaitJobTest, AWaiterThatGoesAwayCostsNothing) {
  Start();
  auto writer = Connect(), waiter = Connect();
  Claim(writer.get());
  SendWait(waiter.get(), 50'000);
  std::vector<BlockState> states;
  EXPECT_FALSE(Hear(waiter.get(), &states));
  waiter.reset();
  loop_.RunUntil(loop_.NowNs() + 10 * kMs);
  EXPECT_EQ(table()->watched_keys(), 0u);
  StoreBlocks(writer.get(), keys_);
  EXPECT_EQ(table()->blocks(), 0u);
}

TEST_F(WaitJobTest, WaitsHaveALimitPerConnection) {
  options_.limits.max_waits_per_session = 2;
  options_.limits.max_watched_keys_per_session = 7;
  Start();
  auto waiter = Connect();
  std::vector<BlockState> states;
  for (int i = 0; i < 2; ++i) {
    SendWait(waiter.get(), 50'000);
    EXPECT_FALSE(Hear(waiter.get(), &states));
  }
  std::vector<uint8_t> meta;
  wire::Wait{0, 100, Batch()}.Encode(&meta);
  EXPECT_TRUE(absl::IsResourceExhausted(ErrorFor(waiter.get(), FrameType::kWait, meta)));
  auto other = Connect();
  keys_.resize(8, KeyOf(9));
  meta.clear();
  wire::Wait{0, 100, Batch()}.Encode(&meta);
  EXPECT_TRUE(absl::IsResourceExhausted(ErrorFor(other.get(), FrameType::kWait, meta)));
}

TEST_F(WaitJobTest, KeysThatDoNotFitTheLayoutAreRefused) {
  Start();
  auto client = Connect();
  std::vector<uint8_t> meta;
  wire::Wait{0, 100, {{5, 0, 0, keys_[0]}}}.Encode(&meta);
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorFor(client.get(), FrameType::kWait, meta)));
  meta.clear();
  wire::Claim{9, 100, 0, Batch()}.Encode(&meta);
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorFor(client.get(), FrameType::kClaim, meta)));
  EXPECT_TRUE(StillServes(client.get()));
}

}  // namespace
}  // namespace incipit
