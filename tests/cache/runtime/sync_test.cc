#include "cache/runtime/sync.h"

#include <gtest/gtest.h>

#include <vector>

#include "cache/runtime/sim_loop.h"

namespace incipit {
namespace {

Task<bool> WaitFor(SimLoop* loop, Event* event, int64_t ns) {
  const bool set = co_await event->WaitUntil(loop->NowNs() + ns);
  co_return set;
}

Task<void> SetAfter(SimLoop* loop, Event* event, int64_t ns) {
  co_await SleepUntil(loop, loop->NowNs() + ns);
  event->Set();
}

TEST(Event, DeadlineComesFirstWhenNobodySets) {
  SimLoop loop;
  Event event(&loop);
  const int64_t start = loop.NowNs();
  EXPECT_FALSE(loop.Run(WaitFor(&loop, &event, 500)));
  EXPECT_EQ(loop.NowNs(), start + 500);
}

TEST(Event, SetWakesEveryWaiterBeforeItsDeadline) {
  SimLoop loop;
  Event event(&loop);
  auto all = [&]() -> Task<int> {
    TaskScope scope(&loop);
    int woken = 0;
    auto wait = [](SimLoop* l, Event* e, int* count) -> Task<void> {
      Task<bool> waiting = WaitFor(l, e, 1000);
      if (co_await waiting) ++*count;
    };
    for (int i = 0; i < 5; ++i) scope.Spawn(wait(&loop, &event, &woken));
    scope.Spawn(SetAfter(&loop, &event, 10));
    co_await scope.Join();
    co_return woken;
  };
  EXPECT_EQ(loop.Run(all()), 5);
}

TEST(Semaphore, LargeWaiterIsNotOvertakenBySmallOnes) {
  SimLoop loop;
  Semaphore semaphore(&loop, 4);
  std::vector<int> order;
  auto take = [](Semaphore* s, uint64_t n, int name, std::vector<int>* out) -> Task<void> {
    co_await s->Acquire(n);
    out->push_back(name);
  };
  auto all = [&]() -> Task<void> {
    TaskScope scope(&loop);
    scope.Spawn(take(&semaphore, 3, 1, &order));
    scope.Spawn(take(&semaphore, 4, 2, &order));
    scope.Spawn(take(&semaphore, 1, 3, &order));
    EXPECT_EQ(order, (std::vector<int>{1}));
    semaphore.Release(3);
    co_await SleepUntil(&loop, loop.NowNs() + 1);
    semaphore.Release(4);
    co_await scope.Join();
  };
  loop.Run(all());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(semaphore.available(), 3u);
}

TEST(TaskScope, JoinWaitsForTasksThatSpawnMore) {
  SimLoop loop;
  int done = 0;
  auto leaf = [](SimLoop* l, int* count) -> Task<void> {
    co_await SleepUntil(l, l->NowNs() + 5);
    ++*count;
  };
  auto all = [&]() -> Task<void> {
    TaskScope scope(&loop);
    auto parent = [&]() -> Task<void> {
      co_await SleepUntil(&loop, loop.NowNs() + 3);
      scope.Spawn(leaf(&loop, &done));
    };
    scope.Spawn(parent());
    co_await scope.Join();
  };
  loop.Run(all());
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace incipit
