#include "client/src/core/budget.h"

#include <gtest/gtest.h>

#include "cache/runtime/sim_loop.h"

namespace incipit {
namespace {

Task<void> Use(SimLoop* loop, Budget* budget, uint64_t amount, int64_t for_ns, int64_t deadline_ns, int* got) {
  const bool acquired = co_await budget->Acquire(amount, deadline_ns);
  if (!acquired) co_return;
  ++*got;
  co_await SleepUntil(loop, loop->NowNs() + for_ns);
  budget->Release(amount);
}

TEST(Budget, WaitersGetWhatIsReleased) {
  SimLoop loop;
  Budget budget(&loop, 10);
  TaskScope scope(&loop);
  int got = 0;
  for (int i = 0; i < 6; ++i) scope.Spawn(Use(&loop, &budget, 5, 1000, kForeverNs, &got));
  EXPECT_EQ(budget.used(), 10u);
  loop.RunUntilIdle();
  EXPECT_EQ(got, 6);
  EXPECT_EQ(budget.used(), 0u);
}

TEST(Budget, WaiterGivesUpAtItsDeadline) {
  SimLoop loop;
  Budget budget(&loop, 10);
  ASSERT_TRUE(budget.TryAcquire(10));
  const int64_t deadline_ns = loop.NowNs() + 500;
  EXPECT_FALSE(loop.Run(budget.Acquire(1, deadline_ns)));
  EXPECT_EQ(loop.NowNs(), deadline_ns);
  EXPECT_EQ(budget.used(), 10u);
}

TEST(Budget, TooLargeIsLetInAlone) {
  SimLoop loop;
  Budget budget(&loop, 10);
  EXPECT_TRUE(budget.TryAcquire(1000));
  EXPECT_FALSE(budget.TryAcquire(1));
  budget.Release(1000);
  EXPECT_TRUE(budget.TryAcquire(1));
  EXPECT_FALSE(budget.TryAcquire(1000));
}

TEST(Budget, LoweredLimitHoldsForNewcomers) {
  SimLoop loop;
  Budget budget(&loop, 10);
  ASSERT_TRUE(budget.TryAcquire(8));
  budget.set_limit(4);
  EXPECT_FALSE(budget.TryAcquire(1));
  budget.Release(5);
  EXPECT_TRUE(budget.TryAcquire(1));
}

}  // namespace
}  // namespace incipit
