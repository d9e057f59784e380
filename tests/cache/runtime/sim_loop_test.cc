#include "cache/runtime/sim_loop.h"

#include <string>

#include <gtest/gtest.h>

namespace incipit {
namespace {

Task<void> Note(SimLoop* loop, int64_t after_ns, char name, std::string* out) {
  co_await SleepUntil(loop, loop->NowNs() + after_ns);
  out->push_back(name);
}

TEST(SimLoop, TimersFireInOrderOfTimeThenOfStarting) {
  SimLoop loop;
  std::string order;
  TaskScope scope(&loop);
  scope.Spawn(Note(&loop, 20, 'c', &order));
  scope.Spawn(Note(&loop, 10, 'a', &order));
  scope.Spawn(Note(&loop, 10, 'b', &order));
  loop.RunUntilIdle();
  EXPECT_EQ(order, "abc");
}

TEST(SimLoop, TimeJumpsToTheNextTimerAndNoFurther) {
  SimLoop loop(1000);
  std::string order;
  TaskScope scope(&loop);
  scope.Spawn(Note(&loop, 500, 'a', &order));
  scope.Spawn(Note(&loop, 10'000'000'000, 'b', &order));
  while (order.empty()) ASSERT_TRUE(loop.RunOnce());
  EXPECT_EQ(loop.NowNs(), 1500);
  loop.RunUntilIdle();
  EXPECT_EQ(loop.NowNs(), 10'000'001'000);
}

TEST(SimLoop, RunUntilStopsAtItsTimeEvenIfNothingHappens) {
  SimLoop loop(1000);
  std::string order;
  TaskScope scope(&loop);
  scope.Spawn(Note(&loop, 100, 'a', &order));
  scope.Spawn(Note(&loop, 101, 'b', &order));
  loop.RunUntil(1100);
  EXPECT_EQ(order, "a");
  EXPECT_EQ(loop.NowNs(), 1100);
  loop.RunUntil(1100);
  EXPECT_EQ(order, "a");
  loop.RunUntilIdle();
  EXPECT_EQ(order, "ab");
}

TEST(SimLoop, PastDeadlineFiresWithoutTurningTimeBack) {
  SimLoop loop(1000);
  std::string order;
  TaskScope scope(&loop);
  scope.Spawn(Note(&loop, -500, 'a', &order));
  loop.RunUntilIdle();
  EXPECT_EQ(order, "a");
  EXPECT_EQ(loop.NowNs(), 1000);
}

TEST(SimLoop, WallClockFollowsItsOffset) {
  SimLoop loop(1000);
  loop.set_wall_offset_ns(5);
  EXPECT_EQ(loop.WallNs(), 1005);
}

TEST(SimLoopDeathTest, TaskThatCanNeverEndAborts) {
  SimLoop loop;
  Event never(&loop);
  const auto wait = [](Event* event) -> Task<int> {
    co_await event->Wait();
    co_return 1;
  };
  EXPECT_DEATH(loop.Run(wait(&never)), "");
}

struct CountingTimer : Timer {
  void OnTimer() override { ++fired; }
  int fired = 0;
};

TEST(LoopTimer, CancelledTimerDoesNotFireAndRestartedFiresOnce) {
  SimLoop loop(0);
  CountingTimer cancelled, restarted;
  loop.StartTimer(&cancelled, 10);
  loop.CancelTimer(&cancelled);
  EXPECT_FALSE(cancelled.started());
  loop.StartTimer(&restarted, 10);
  loop.StartTimer(&restarted, 30);
  loop.RunUntil(20);
  EXPECT_EQ(restarted.fired, 0);
  loop.RunUntilIdle();
  EXPECT_EQ(restarted.fired, 1);
  EXPECT_EQ(cancelled.fired, 0);
  EXPECT_FALSE(restarted.started());
}

}  // namespace
}  // namespace incipit
