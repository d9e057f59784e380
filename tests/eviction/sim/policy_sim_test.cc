#include "eviction/sim/policy_sim.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/eviction/sim/random_trace.h"

namespace incipit {
namespace {

std::unique_ptr<Policy> NewLru(size_t, uint32_t) { return MakeLeafFirstLru(); }

TEST(PolicySimTest, RoomForAllHitsAllThatWasSeenBefore) {
  PrefixTrace trace(10);
  trace.Add(0, 30, 1, std::vector<uint64_t>{1, 2, 3});
  trace.Add(1, 30, 1, std::vector<uint64_t>{1, 2, 4});
  trace.Add(2, 35, 1, std::vector<uint64_t>{1, 2, 3, 5});
  trace.Finish();
  const PolicySimResult result = SimulatePolicy(trace, {.capacity_blocks = 100}, NewLru);
  EXPECT_EQ(result.totals.hit_tokens, 50u);
  EXPECT_EQ(result.totals.inserted_blocks, 5u);
  EXPECT_EQ(result.orphans, 0u);
}

TEST(PolicySimTest, ShardsTogetherHoldWhatOneWould) {
  const PrefixTrace trace = MakeRandomTrace(3, {.requests = 2000});
  const uint64_t all = SimulatePolicy(trace, {.capacity_blocks = 100'000}, NewLru).totals.hit_blocks;
  size_t capacity = 0;
  const PolicySimResult sharded =
      SimulatePolicy(trace, {.capacity_blocks = 100'003, .shards = 7}, [&](size_t blocks, uint32_t shard) {
        capacity += blocks;
        return NewLru(blocks, shard);
      });
  EXPECT_EQ(sharded.totals.hit_blocks, all);
  EXPECT_EQ(capacity, 100'003u);
  // Cut into shards, a small cache loses some, but not most.
  const uint64_t one = SimulatePolicy(trace, {.capacity_blocks = 150}, NewLru).totals.hit_blocks;
  const uint64_t seven = SimulatePolicy(trace, {.capacity_blocks = 150, .shards = 7}, NewLru).totals.hit_blocks;
  EXPECT_GT(seven, one / 2);
}

struct Told {
  std::vector<Access> accesses;
  std::vector<std::pair<uint64_t, uint64_t>> hints;  // stamp of the last access, announced time
};

// LRU that takes down what it is told.
class Listener final : public Policy {
 public:
  explicit Listener(Told* told) : told_(told), lru_(MakeLeafFirstLru()) {}
  std::string_view name() const override { return "listener"; }
  void OnInsert(BlockId id, const Access& access) override {
    told_->accesses.push_back(access);
    lru_->OnInsert(id, access);
  }
  void OnAccess(BlockId id, const Access& access) override {
    told_->accesses.push_back(access);
    lru_->OnAccess(id, access);
  }
  void OnHint(BlockId, const Hint& hint) override {
    told_->hints.push_back({told_->accesses.back().stamp_ns, hint.next_use_ns});
  }
  void OnRemove(BlockId id) override { lru_->OnRemove(id); }
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t most) override {
    return lru_->Victim(evictable, most);
  }
  bool Outranks(BlockId a, BlockId b) const override { return lru_->Outranks(a, b); }
  uint64_t StampOf(BlockId id) const override { return lru_->StampOf(id); }
  size_t size() const override { return lru_->size(); }
  uint64_t MemoryBytes() const override { return lru_->MemoryBytes(); }

 private:
  Told* told_;
  std::unique_ptr<Policy> lru_;
};

Told Listen(const PrefixTrace& trace, uint64_t hint_ns) {
  const NextUse next_use(trace);
  Told told;
  SimulatePolicy(trace, {.capacity_blocks = 10, .hint_ns = hint_ns, .next_use = &next_use},
                 [&](size_t, uint32_t) { return std::make_unique<Listener>(&told); });
  return told;
}

TEST(PolicySimTest, TurnsGrowAlongAConversationAndStampsWithEachRequest) {
  PrefixTrace trace(10);
  trace.Add(0, 10, 7, std::vector<uint64_t>{1});
  trace.Add(0, 20, 7, std::vector<uint64_t>{1, 2});
  trace.Add(2, 30, 7, std::vector<uint64_t>{1, 2, 3});
  trace.Add(3, 10, 7, std::vector<uint64_t>{9});
  trace.Finish();
  std::vector<uint32_t> turns, depths;
  std::vector<uint64_t> stamps;
  for (const Access& access : Listen(trace, 0).accesses) {
    turns.push_back(access.turn);
    depths.push_back(access.depth_tokens);
    if (stamps.empty() || stamps.back() != access.stamp_ns) stamps.push_back(access.stamp_ns);
    EXPECT_EQ(access.output_tokens, 7u);
  }
  EXPECT_EQ(turns, (std::vector<uint32_t>{1, 2, 2, 3, 3, 3, 1}));
  EXPECT_EQ(depths, (std::vector<uint32_t>{0, 10, 0, 20, 10, 0, 0}));
  EXPECT_EQ(stamps.size(), 4u);
  EXPECT_TRUE(std::is_sorted(stamps.begin(), stamps.end()));
}

TEST(PolicySimTest, AnnouncesEachUseWithinReachAndNoneBeyond) {
  constexpr uint64_t kMs = 1'000'000;
  PrefixTrace trace(10);
  trace.Add(0, 10, 1, std::vector<uint64_t>{1});
  trace.Add(500, 10, 1, std::vector<uint64_t>{2});
  trace.Add(3'000, 10, 1, std::vector<uint64_t>{3});
  trace.Add(4'000, 10, 1, std::vector<uint64_t>{1});   // comes within reach when 3'000 is served
  trace.Add(4'500, 10, 1, std::vector<uint64_t>{1});   // within reach of the one before
  trace.Add(60'000, 10, 1, std::vector<uint64_t>{2});  // too far ahead of all others
  trace.Finish();
  EXPECT_TRUE(Listen(trace, 0).hints.empty());
  // What is announced while 3'000 is served is told before it touches anything; the last announcement is told behind
  // the touch of 4'000 again, because that touch used up the one before.
  const std::vector<std::pair<uint64_t, uint64_t>> expected = {
      {500 * kMs, 4'000 * kMs}, {500 * kMs, 4'500 * kMs}, {4'000 * kMs, 4'500 * kMs}};
  EXPECT_EQ(Listen(trace, 2'000 * kMs).hints, expected);
}

}  // namespace
}  // namespace incipit
