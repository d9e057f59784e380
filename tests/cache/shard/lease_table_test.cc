#include "cache/shard/lease_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/seams/clock.h"

namespace incipit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(LeaseTable, RemovedLeaseGivesItsBlocksOnce) {
  LeaseTable table;
  const uint64_t lease = table.Add(1, 100, {5, 6});
  EXPECT_NE(lease, 0u);
  EXPECT_THAT(table.Remove(1, lease), ElementsAre(5, 6));
  EXPECT_THAT(table.Remove(1, lease), IsEmpty());
  EXPECT_EQ(table.size(), 0u);
}

TEST(LeaseTable, AnotherSessionCannotEndALease) {
  LeaseTable table;
  const uint64_t lease = table.Add(1, 100, {5});
  EXPECT_THAT(table.Remove(2, lease), IsEmpty());
  EXPECT_EQ(table.CountOf(1), 1u);
}

TEST(LeaseTable, ExpiryTakesWhatIsDueAndLeavesTheRest) {
  LeaseTable table;
  table.Add(1, 100, {1});
  table.Add(2, 200, {2});
  table.Add(1, 201, {3});
  EXPECT_EQ(table.NextExpiryNs(), 100);
  EXPECT_THAT(table.RemoveExpired(99), IsEmpty());
  EXPECT_THAT(table.RemoveExpired(200), UnorderedElementsAre(1, 2));
  EXPECT_EQ(table.NextExpiryNs(), 201);
  EXPECT_THAT(table.RemoveExpired(1000), ElementsAre(3));
  EXPECT_EQ(table.NextExpiryNs(), kForeverNs);
}

TEST(LeaseTable, EndOfASessionTakesAllItsLeasesAndNoOthers) {
  LeaseTable table;
  table.Add(1, 100, {1});
  table.Add(2, 100, {2});
  table.Add(1, 50, {3});
  EXPECT_THAT(table.RemoveSession(1), UnorderedElementsAre(1, 3));
  EXPECT_EQ(table.CountOf(1), 0u);
  EXPECT_EQ(table.CountOf(2), 1u);
  EXPECT_EQ(table.NextExpiryNs(), 100);
  EXPECT_THAT(table.RemoveExpired(100), ElementsAre(2));
}

}  // namespace
}  // namespace incipit
