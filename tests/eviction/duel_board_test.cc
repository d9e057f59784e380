#include "eviction/duel_board.h"

#include <gtest/gtest.h>

#include <vector>

namespace incipit {
namespace {

constexpr DuelBoard::Terms kTerms{.margin = 1.1, .shortest_reign = 100};

size_t Tell(DuelBoard* board, size_t shard, double first, double second, uint64_t touches) {
  const double scores[] = {first, second};
  return board->Tell(shard, scores, touches, kTerms);
}

size_t Winner(std::vector<double> scores, size_t leader) { return DuelWinner(scores, leader, 1.1, 1.025); }

TEST(DuelWinner, TheFirstNeedsLessMarginAndOthersBeatBoth) {
  EXPECT_EQ(Winner({10, 10.9}, 0), 0u);
  EXPECT_EQ(Winner({10, 11}, 0), 1u);
  EXPECT_EQ(Winner({10, 10}, 1), 1u) << "a tie changes nothing";
  EXPECT_EQ(Winner({10.2, 10}, 1), 1u);
  EXPECT_EQ(Winner({10.3, 10}, 1), 0u);
  EXPECT_EQ(Winner({10, 11, 11.5}, 1), 1u) << "not better than the leader by the margin";
  EXPECT_EQ(Winner({10, 11, 12.5}, 1), 2u);
  EXPECT_EQ(Winner({11, 10, 11.5}, 1), 0u) << "better than the leader by the margin, but not than the first";
  EXPECT_EQ(Winner({0, 0, 0}, 0), 0u);
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
