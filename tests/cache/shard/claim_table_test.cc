#include "cache/shard/claim_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "cache/seams/clock.h"

namespace incipit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using wire::BlockState;

constexpr int64_t kMs = 1'000'000;

class Watcher : public BlockWatcher {
 public:
  void OnState(uint32_t index, BlockState state) override { heard.emplace_back(index, state); }
  std::vector<std::pair<uint32_t, BlockState>> heard;
  std::vector<uint32_t> slots;
};

class ClaimTableTest : public testing::Test {
 protected:
  static wire::KeyRef Key(const char* text) { return {0, 0, 0, AsBytes(text)}; }
  // All keys share one hash if `collide_`: only whole identities may tell them apart then.
  Hash128 HashOf(const wire::KeyRef& key) const { return {collide_ ? 1 : Xxh3Of(key.key), 0}; }
  ClaimTable::Granted Claim(uint64_t session, std::vector<const char*> keys, int64_t now_ms = 0,
                            uint32_t claim_ms = 100) {
    wire::KeyBatch batch;
    std::vector<Hash128> hashes;
    for (const char* key : keys) {
      batch.push_back(Key(key));
      hashes.push_back(HashOf(batch.back()));
    }
    states_.assign(batch.size(), BlockState::kFree);
    return table_.Claim(session, 1, batch, hashes, claim_ms, now_ms * kMs, &states_);
  }
  BlockState Watch(Watcher* watcher, uint32_t index, const char* key) {
    return table_.Watch(watcher, index, 1, Key(key), HashOf(Key(key)), &watcher->slots);
  }
  void Land(const char* key, NamespaceId name_space = 1, uint16_t part = 0) {
    Entry entry;
    entry.hash = HashOf(Key(key));
    entry.namespace_id = name_space;
    entry.part = part;
    entry.key.assign(Key(key).key.begin(), Key(key).key.end());
    table_.OnVisible(entry, wire::Presence::kRam);
  }

  bool collide_ = false;
  ShardLimits limits_;
  ClaimTable table_{limits_};
  std::vector<BlockState> states_;
};

TEST_F(ClaimTableTest, OneOfTwoGetsEachBlock) {
  EXPECT_NE(Claim(1, {"a", "b"}).claim_id, 0u);
  EXPECT_THAT(states_, ElementsAre(BlockState::kClaimed, BlockState::kClaimed));
  const ClaimTable::Granted second = Claim(2, {"b", "c"}, 30);
  EXPECT_THAT(states_, ElementsAre(BlockState::kComputing, BlockState::kClaimed));
  EXPECT_EQ(second.computing_ms, 30u);
  EXPECT_EQ(Claim(3, {"a", "b", "c"}, 30).claim_id, 0u);
  EXPECT_EQ(table_.counters().granted, 3u);
}

TEST_F(ClaimTableTest, WholeIdentitiesTellBlocksApart) {
  collide_ = true;
  Claim(1, {"a"});
  EXPECT_NE(Claim(2, {"b"}).claim_id, 0u);
  Land("a", 2);
  Land("a", 1, 1);
  EXPECT_EQ(table_.claimed_blocks(), 2u);
  Land("a");
  EXPECT_EQ(table_.claimed_blocks(), 1u);
}

TEST_F(ClaimTableTest, PresentKeysArePassedOverAndTwinsShareAClaim) {
  const wire::KeyBatch batch = {Key("a"), Key("b"), Key("b")};
  const std::vector<Hash128> hashes = {HashOf(batch[0]), HashOf(batch[1]), HashOf(batch[2])};
  states_ = {BlockState::kNvme, BlockState::kFree, BlockState::kFree};
  table_.Claim(1, 1, batch, hashes, 100, 0, &states_);
  EXPECT_THAT(states_, ElementsAre(BlockState::kNvme, BlockState::kClaimed, BlockState::kClaimed));
  EXPECT_EQ(table_.claimed_blocks(), 1u);
}

TEST_F(ClaimTableTest, AClaimEndsBlockByBlockAsTheyLand) {
  const uint64_t id = Claim(1, {"a", "b"}).claim_id;
  Land("a");
  EXPECT_NE(table_.Renew(1, id, 100, kMs), 0u);
  Land("b");
  EXPECT_EQ(table_.Renew(1, id, 100, kMs), 0u);
  EXPECT_EQ(table_.counters().landed, 2u);
  EXPECT_EQ(table_.NextExpiryNs(), kForeverNs);
  EXPECT_EQ(table_.blocks(), 0u);
}

TEST_F(ClaimTableTest, AClaimLapsesUnlessItIsRenewed) {
  const uint64_t id = Claim(1, {"a"}).claim_id;
  EXPECT_EQ(table_.NextExpiryNs(), 100 * kMs);
  EXPECT_EQ(table_.Renew(1, id, 100, 60 * kMs), 100u);
  table_.LapseExpired(159 * kMs);
  EXPECT_EQ(Claim(2, {"a"}, 159).claim_id, 0u);
  // Nobody has looked for expired claims since: who asks must get it all the same.
  EXPECT_NE(Claim(2, {"a"}, 160).claim_id, 0u);
  EXPECT_EQ(table_.counters().lapsed, 1u);
  EXPECT_EQ(table_.Renew(1, id, 100, 161 * kMs), 0u);
}

TEST_F(ClaimTableTest, TimesAreCutToTheLimit) {
  EXPECT_EQ(Claim(1, {"a"}, 0, UINT32_MAX).claim_ms, limits_.max_claim_ms);
}

TEST_F(ClaimTableTest, OnlyItsSessionCanEndOrRenewAClaim) {
  const uint64_t id = Claim(1, {"a"}).claim_id;
  table_.Release(2, id);
  EXPECT_EQ(table_.Renew(2, id, 100, 0), 0u);
  EXPECT_EQ(table_.claimed_blocks(), 1u);
  table_.Release(1, id);
  EXPECT_EQ(table_.claimed_blocks(), 0u);
  EXPECT_EQ(table_.counters().released, 1u);
}

TEST_F(ClaimTableTest, ClaimsEndWithTheirSession) {
  Claim(1, {"a", "b"});
  Claim(1, {"c"});
  Claim(2, {"d"});
  table_.EndSession(1);
  EXPECT_EQ(table_.claimed_blocks(), 1u);
  EXPECT_NE(Claim(2, {"a", "b", "c"}).claim_id, 0u);
  EXPECT_THAT(states_, testing::Each(BlockState::kClaimed));
}

TEST_F(ClaimTableTest, WatchersHearEveryChangeUntilTheBlockIsHere) {
  Watcher watcher;
  EXPECT_EQ(Watch(&watcher, 7, "a"), BlockState::kFree);
  const uint64_t id = Claim(1, {"a"}).claim_id;
  table_.Release(1, id);
  Claim(2, {"a"});
  table_.EndSession(2);
  Land("a");
  Land("a");
  EXPECT_THAT(watcher.heard,
              ElementsAre(Pair(7, BlockState::kComputing), Pair(7, BlockState::kFree), Pair(7, BlockState::kComputing),
                          Pair(7, BlockState::kFree), Pair(7, BlockState::kRam)));
  EXPECT_EQ(table_.blocks(), 0u);
}

TEST_F(ClaimTableTest, AWatcherThatGoesAwayLeavesNothing) {
  Watcher one, other;
  ASSERT_TRUE(table_.AdmitWatcher(1, 2));
  EXPECT_EQ(Watch(&one, 0, "a"), BlockState::kFree);
  EXPECT_EQ(Watch(&one, 1, "b"), BlockState::kFree);
  EXPECT_EQ(Watch(&other, 0, "a"), BlockState::kFree);
  table_.Unwatch(&one, 1, 2, one.slots);
  Land("a");
  Land("b");
  EXPECT_THAT(one.heard, IsEmpty());
  EXPECT_THAT(other.heard, ElementsAre(Pair(0, BlockState::kRam)));
  EXPECT_EQ(table_.watched_keys(), 0u);
}

TEST_F(ClaimTableTest, ASlotUsedAgainIsNotTheOldWatchers) {
  Watcher watcher;
  ASSERT_TRUE(table_.AdmitWatcher(1, 1));
  Watch(&watcher, 0, "a");
  Land("a");
  Claim(2, {"z"});
  table_.Unwatch(&watcher, 1, 1, watcher.slots);
  EXPECT_EQ(table_.claimed_blocks(), 1u);
  EXPECT_EQ(Claim(3, {"z"}).claim_id, 0u);
}

TEST_F(ClaimTableTest, LimitsOfClaimedBlocksLeaveTheRestFree) {
  limits_.max_claimed_blocks = 5;
  limits_.max_claimed_blocks_per_session = 3;
  ClaimTable table(limits_);
  const auto claim = [&](uint64_t session, const char* prefix) {
    std::vector<std::string> names;
    for (int i = 0; i < 4; ++i) names.push_back(std::string(prefix) + std::to_string(i));
    wire::KeyBatch batch;
    std::vector<Hash128> hashes;
    for (const std::string& name : names) batch.push_back({0, 0, 0, AsBytes(name)});
    for (const wire::KeyRef& key : batch) hashes.push_back({Xxh3Of(key.key), 0});
    states_.assign(4, BlockState::kFree);
    table.Claim(session, 1, batch, hashes, 100, 0, &states_);
  };
  claim(1, "a");
  EXPECT_THAT(states_,
              ElementsAre(BlockState::kClaimed, BlockState::kClaimed, BlockState::kClaimed, BlockState::kFree));
  claim(2, "b");
  EXPECT_THAT(states_, ElementsAre(BlockState::kClaimed, BlockState::kClaimed, BlockState::kFree, BlockState::kFree));
  EXPECT_EQ(table.counters().refused, 3u);
  table.EndSession(1);
  claim(3, "c");
  EXPECT_EQ(table.claimed_blocks(), 5u);
}

TEST_F(ClaimTableTest, LimitsOfWatchedKeysRefuseTheWait) {
  limits_.max_watched_keys = 5;
  limits_.max_watched_keys_per_session = 3;
  ClaimTable table(limits_);
  EXPECT_FALSE(table.AdmitWatcher(1, 4));
  EXPECT_TRUE(table.AdmitWatcher(1, 3));
  EXPECT_FALSE(table.AdmitWatcher(1, 1));
  EXPECT_FALSE(table.AdmitWatcher(2, 3));
  EXPECT_TRUE(table.AdmitWatcher(2, 2));
  EXPECT_EQ(table.counters().waits_refused, 3u);
}

}  // namespace
}  // namespace incipit
