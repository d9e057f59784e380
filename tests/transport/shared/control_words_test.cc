#include "transport/shared/control_words.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace incipit {
namespace {

TEST(ControlWordsTest, RevokedBetweenSlicesNothingMoreIsCopied) {
  ControlWord word;
  OpenForCopies(&word);
  EXPECT_TRUE(BeginCopy(&word));
  EXPECT_FALSE(BeginCopy(&word));
  EndCopy(&word);
  EXPECT_TRUE(RevokeCopies(&word));
  EXPECT_FALSE(BeginCopy(&word));
  OpenForCopies(&word);
  EXPECT_TRUE(BeginCopy(&word));
}

TEST(ControlWordsTest, RevokedInsideASliceItIsSettledAfterwards) {
  ControlWord word;
  OpenForCopies(&word);
  ASSERT_TRUE(BeginCopy(&word));
  EXPECT_FALSE(RevokeCopies(&word));
  EXPECT_FALSE(CopiesSettled(&word));
  EndCopy(&word);
  EXPECT_TRUE(CopiesSettled(&word));
  EXPECT_FALSE(BeginCopy(&word));
}

// The client reuses its memory as soon as it may. A copy that is still going on would be seen in it.
TEST(ControlWordsTest, NoSliceRunsAfterTheRevocationThread) {
  constexpr int kRounds = 20'000;
  ControlWord word;
  std::atomic<int> copies{0};
  std::atomic<bool> stop{false};
  OpenForCopies(&word);
  std::thread shard([&] {
    while (!stop) {
      if (!BeginCopy(&word)) continue;
      copies.fetch_add(1, std::memory_order_relaxed);
      EndCopy(&word);
    }
  });
  int moved = 0;
  for (int i = 0; i < kRounds; ++i) {
    if (!RevokeCopies(&word)) {
      while (!CopiesSettled(&word)) std::this_thread::yield();
    }
    const int before = copies;
    for (int spin = 0; spin < 20; ++spin) moved += copies != before ? 1 : 0;
    OpenForCopies(&word);
  }
  stop = true;
  shard.join();
  EXPECT_EQ(moved, 0);
}

}  // namespace
}  // namespace incipit
