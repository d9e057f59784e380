#include "eviction/cut_board.h"

#include <gtest/gtest.h>

#include <thread>

namespace incipit {
namespace {

std::vector<uint64_t> ReadAll(const CutBoard& board, uint64_t* read) {
  std::vector<uint64_t> stamps;
  board.ReadFrom(read, [&](const Cut& cut) { stamps.push_back(cut.stamp_ns); });
  return stamps;
}

TEST(CutBoard, EachReaderHearsEachCutOnce) {
  CutBoard board;
  uint64_t first = 0, second = 0;
  EXPECT_TRUE(ReadAll(board, &first).empty());
  board.Post({1, 10});
  board.Post({2, 20});
  EXPECT_EQ(ReadAll(board, &first), (std::vector<uint64_t>{1, 2}));
  board.Post({3, 30});
  EXPECT_EQ(ReadAll(board, &first), std::vector<uint64_t>{3});
  EXPECT_EQ(ReadAll(board, &second), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_TRUE(ReadAll(board, &second).empty());
}

TEST(CutBoard, WhoComesLateMissesTheOldest) {
  CutBoard board;
  for (uint64_t i = 0; i < CutBoard::kCuts + 5; ++i) board.Post({i, 0});
  uint64_t read = 0;
  const std::vector<uint64_t> stamps = ReadAll(board, &read);
  ASSERT_EQ(stamps.size(), CutBoard::kCuts);
  EXPECT_EQ(stamps.front(), 5u);
  EXPECT_EQ(stamps.back(), CutBoard::kCuts + 4);
}

TEST(CutBoard, ManyThreads) {
  CutBoard board;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&board, t] {
      uint64_t read = 0;
      for (uint32_t i = 0; i < 2000; ++i) {
        board.Post({t * 2000 + i, i});
        board.ReadFrom(&read, [](const Cut& cut) { EXPECT_EQ(cut.stamp_ns % 2000, cut.depth_tokens); });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace incipit
