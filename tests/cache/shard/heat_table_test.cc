#include "cache/shard/heat_table.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

constexpr int64_t kWindowNs = 500'000'000;

HeatOptions Options() { return {.block_bytes_per_s = 1000, .max_copies = 3, .window_ns = kWindowNs, .max_blocks = 4}; }

// One window in which `block` is loaded at so many bytes a second.
int64_t Window(HeatTable* table, BlockId block, uint64_t bytes_per_s, int64_t now_ns) {
  table->OnLoad(block, bytes_per_s / 2, now_ns + 1);
  return now_ns + kWindowNs;
}

TEST(HeatTableTest, WhatIsLoadedBeyondItsBoundWantsCopies) {
  HeatTable table(Options());
  int64_t now_ns = kWindowNs;
  EXPECT_EQ(table.CopiesOf(7, now_ns), 0);
  now_ns = Window(&table, 7, 900, now_ns);
  EXPECT_EQ(table.CopiesOf(7, now_ns + 2), 0) << "below the bound";
  now_ns = Window(&table, 7, 2500, now_ns + 2);
  EXPECT_EQ(table.CopiesOf(7, now_ns + 4), 2) << "two more bring it below";
  EXPECT_EQ(table.CopiesOf(8, now_ns + 4), 0);
  EXPECT_EQ(table.hot_blocks(now_ns + 4), 1u);
  now_ns = Window(&table, 7, 100'000, now_ns + 4);
  EXPECT_EQ(table.CopiesOf(7, now_ns + 8), 3) << "at most max_copies";
}

// Readers that spread leave the owner with its share: that must not look like cooling down.
TEST(HeatTableTest, CopiesStayWhileReadersSpreadAndGoOneByOneAfterThat) {
  HeatTable table(Options());
  int64_t now_ns = Window(&table, 7, 3900, kWindowNs);
  ASSERT_EQ(table.CopiesOf(7, now_ns + 2), 3);
  for (int i = 0; i < 5; ++i) {
    now_ns = Window(&table, 7, 3900 / 4, now_ns + 2);
    EXPECT_EQ(table.CopiesOf(7, now_ns + 2), 3);
  }
  for (uint8_t left = 3; left > 0; --left) {
    EXPECT_EQ(table.CopiesOf(7, now_ns), left);
    now_ns += kWindowNs + 2;
  }
  EXPECT_EQ(table.CopiesOf(7, now_ns), 0);
  EXPECT_EQ(table.hot_blocks(now_ns), 0u);
}

// Readers with turns may all be elsewhere: what they were told counts.
TEST(HeatTableTest, TurnsRiseAndKeepABlockHotThatItsOwnerDoesNotSend) {
  HeatTable table(Options());
  EXPECT_EQ(table.TakeTurn(7, 100), 0) << "not measured";
  int64_t now_ns = Window(&table, 7, 3900, kWindowNs);
  ASSERT_EQ(table.CopiesOf(7, now_ns + 2), 3);
  now_ns += 2;
  uint8_t turn = 0;
  for (int window = 0; window < 5; ++window) {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(table.TakeTurn(7, 100), turn++);
    now_ns += kWindowNs;
    EXPECT_EQ(table.CopiesOf(7, now_ns), 3) << "4000 a second are asked for, none of them here";
  }
  for (int i = 0; i < 156 + 3; ++i) table.TakeTurn(7, 0);
  EXPECT_EQ(table.TakeTurn(7, 0), static_cast<uint8_t>(turn + 159)) << "modulo 256";
  now_ns += 2 * kWindowNs;
  EXPECT_EQ(table.CopiesOf(7, now_ns), 2) << "cools down";
}

TEST(HeatTableTest, ItIsBoundedAndMakesRoom) {
  HeatTable table(Options());
  for (BlockId block = 0; block < 10; ++block) table.OnLoad(block, 5000, kWindowNs);
  EXPECT_GT(table.CopiesOf(3, 2 * kWindowNs), 0);
  EXPECT_EQ(table.CopiesOf(4, 2 * kWindowNs), 0) << "one too many";
  // All but block 3 cool down and go; another one takes the room.
  int64_t now_ns = 2 * kWindowNs;
  for (int i = 0; i < 8; ++i) now_ns = Window(&table, 3, 5000, now_ns + 2);
  now_ns = Window(&table, 4, 5000, now_ns + 2);
  EXPECT_GT(table.CopiesOf(4, now_ns + 2), 0);
}

TEST(HeatTableTest, TheHottestAreToldByTheirRateOfTheLastSeconds) {
  HeatOptions options = Options();
  options.max_blocks = 1000;
  HeatTable table(options);
  int64_t now_ns = kWindowNs;
  for (int i = 0; i < 40; ++i) {  // 20 s: rates have settled
    for (BlockId block = 1; block <= 100; ++block) table.OnLoad(block, block * 50, now_ns + 1, block + 1000);
    now_ns += kWindowNs;
  }
  const std::vector<HeatTable::Hot> hottest = table.Hottest(3, now_ns + 2);
  ASSERT_EQ(hottest.size(), 3u);
  EXPECT_EQ(hottest[0].block, 100u);
  EXPECT_EQ(hottest[2].block, 98u);
  EXPECT_EQ(hottest[0].stamp_ns, 1100u);
  EXPECT_NEAR(static_cast<double>(hottest[0].bytes_per_s), 10'000, 500);
  EXPECT_EQ(hottest[0].copies, 3);
  EXPECT_EQ(table.Hottest(1000, now_ns + 2).size(), 100u);
  // What is not loaded any more cools down, and makes way.
  now_ns = Window(&table, 7, 20'000, now_ns + 4) + 4 * kWindowNs;
  const uint64_t after = table.Hottest(1, now_ns)[0].bytes_per_s;
  EXPECT_LT(after, 8'000u);
  EXPECT_TRUE(table.Hottest(10, now_ns + int64_t{600} * 1'000'000'000).empty());
}

TEST(HeatTableTest, WithoutABoundNothingIsHot) {
  HeatOptions options = Options();
  options.block_bytes_per_s = 0;
  HeatTable table(options);
  table.OnLoad(1, 1 << 30, kWindowNs);
  EXPECT_EQ(table.CopiesOf(1, 3 * kWindowNs), 0);
  EXPECT_TRUE(table.Hottest(10, 3 * kWindowNs).empty());
}

}  // namespace
}  // namespace incipit
