#include "eviction/duel_board.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

constexpr DuelBoard::Terms kTerms{.margin = 1.1, .shortest_reign = 100};

size_t Tell(DuelBoard* board, size_t shard, double first, double second, uint64_t touches) {
  const double scores[] = {first, second};
  return board->Tell(shard, scores, touches, kTerms);
}

TEST(DuelBoard, SumDecidesNotTheShard) {
  DuelBoard board;
  const size_t a = board.Join(), b = board.Join();
  EXPECT_EQ(Tell(&board, a, 10, 20, 100), 1u);
  EXPECT_EQ(Tell(&board, b, 100, 20, 50), 1u) << "too soon";
  EXPECT_EQ(Tell(&board, b, 100, 20, 50), 0u);
  EXPECT_EQ(Tell(&board, a, 10, 100, 100), 0u) << "110 to 120 is not enough";
  EXPECT_EQ(Tell(&board, a, 10, 110, 0), 1u) << "110 to 130 is";
}

TEST(DuelBoard, AShardsScoresReplaceItsOlderOnes) {
  DuelBoard board;
  const size_t a = board.Join();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Tell(&board, a, 10, 5, 100), 0u);
  EXPECT_EQ(Tell(&board, a, 10, 12, 0), 1u);
}

}  // namespace
}  // namespace incipit
