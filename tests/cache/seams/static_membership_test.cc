#include "cache/seams/static_membership.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(StaticMembership, ListsEveryShardOfEveryNodeInOrder) {
  const ShardMap map = StaticMembership({"a:1", "b:1"}, 2).Current();
  EXPECT_EQ(map.epoch, StaticMembership::kEpoch);
  EXPECT_EQ(map.shards, (std::vector<ShardAddress>{{"a:1", 0}, {"a:1", 1}, {"b:1", 0}, {"b:1", 1}}));
}

}  // namespace
}  // namespace incipit
