#include "client/src/copies/copy_table.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

constexpr int64_t kNowNs = 1'000'000'000'000;

TEST(CopyTableTest, KnowsForAWhileWhereBlocksAre) {
  CopyTable table;
  EXPECT_EQ(table.Find(1, kNowNs), nullptr);
  table.Note(1, 0b101, 2, kNowNs);
  const KnownCopies* known = table.Find(1, kNowNs + CopyTable::kKeepNs);
  ASSERT_NE(known, nullptr);
  EXPECT_TRUE(known->at(0));
  EXPECT_FALSE(known->at(1));
  EXPECT_EQ(known->places(), 2);
  EXPECT_EQ(known->wanted, 2);
  EXPECT_EQ(table.Find(1, kNowNs + CopyTable::kKeepNs + 1), nullptr) << "must be learned anew";
  table.Add(1, 1, true);
  table.Add(1, 0, false);
  table.Add(2, 3, true);
  EXPECT_EQ(table.Find(1, kNowNs)->ranks, 0b110);
  EXPECT_EQ(table.Find(2, kNowNs), nullptr);
  table.Forget(1);
  EXPECT_EQ(table.size(), 0u);
}

TEST(CopyTableTest, NotingAgainKeepsWhenItWasCopied) {
  CopyTable table;
  table.Note(1, 1, 1, kNowNs);
  table.Find(1, kNowNs)->copied_ns = 77;
  table.Note(1, 3, 1, kNowNs + 5);
  EXPECT_EQ(table.Find(1, kNowNs)->copied_ns, 77);
  EXPECT_EQ(table.Find(1, kNowNs)->ranks, 3);
}

TEST(CopyTableTest, IsBounded) {
  CopyTable table;
  for (uint64_t block = 0; block < CopyTable::kMaxBlocks + 10; ++block) table.Note(block, 3, 1, kNowNs);
  EXPECT_LE(table.size(), CopyTable::kMaxBlocks);
  EXPECT_NE(table.Find(CopyTable::kMaxBlocks + 9, kNowNs), nullptr) << "the last is known";
}

}  // namespace
}  // namespace incipit
