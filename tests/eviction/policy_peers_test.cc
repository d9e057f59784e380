#include "eviction/policy_peers.h"

#include <gtest/gtest.h>

#include "eviction/policies.h"

namespace incipit {
namespace {

TEST(PolicyPeers, OnePartOneBoard) {
  PolicyPeers peers(16);
  EXPECT_EQ(peers.shards(), 16u);
  EXPECT_EQ(peers.Cuts("a"), peers.Cuts("a"));
  EXPECT_NE(peers.Cuts("a"), peers.Cuts("b"));
  EXPECT_EQ(peers.Reuse("a"), peers.Reuse("a"));
  EXPECT_EQ(peers.Duel("a"), peers.Duel("a"));
}

// One prompt over two shards: where the first has cut it, what the second holds deeper goes first, though older blocks
// are there.
TEST(PolicyPeers, WhatAnotherShardCutOffGoesFirst) {
  for (const char* name : {"fifo", "lru", "gil"}) {
    SCOPED_TRACE(name);
    const auto peers = std::make_shared<PolicyPeers>(2);
    const auto any = [](BlockId) { return true; };
    std::unique_ptr<Policy> first = *MakePolicy(name, {.capacity_blocks = 4, .peers = peers});
    std::unique_ptr<Policy> second = *MakePolicy(name, {.capacity_blocks = 4, .peers = peers});
    second->OnInsert(9, {.stamp_ns = 1, .depth_tokens = 0, .key = 9});
    for (BlockId id = 4; id-- > 0;) {
      const Access access{.stamp_ns = 5'000'000'000, .depth_tokens = 512 * id, .key = 100 + uint64_t{id}};
      (id % 2 == 0 ? first : second)->OnInsert(id, access);
    }
    EXPECT_EQ(second->Victim(any, SIZE_MAX), 9u) << "nothing is cut yet";
    first->OnRemove(2);
    EXPECT_EQ(second->Victim(any, SIZE_MAX), 3u);
    EXPECT_EQ(second->Victim([](BlockId id) { return id != 3; }, SIZE_MAX), 9u) << "only where it may go";
    second->OnRemove(3);
    EXPECT_EQ(second->Victim(any, SIZE_MAX), 9u) << "block 1 lies before the cut";
  }
}

}  // namespace
}  // namespace incipit
