#include "transport/ucx/breather.h"

#include <gtest/gtest.h>

#include "cache/runtime/sync.h"
#include "cache/runtime/uring_loop.h"

namespace incipit::testing {
namespace {

Task<void> Take(Breather* breather, int times, int* taken) {
  for (; *taken < times; ++*taken) co_await breather->Next();
}

struct NextRound {
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) { loop->Post(waiter); }
  void await_resume() const {}
  Loop* loop;
};

// Has a turn every round.
Task<void> Watch(Loop* loop, int times, const int* taken, int* rounds, int* most) {
  for (int before = *taken; *taken < times; before = *taken, ++*rounds) {
    co_await NextRound{.loop = loop};
    *most = std::max(*most, *taken - before);
  }
}

TEST(BreatherTest, OthersHaveATurnEverySixtyFourTimes) {
  std::unique_ptr<UringLoop> loop = *UringLoop::Create({});
  Breather breather(loop.get());
  TaskScope scope(loop.get());
  int taken = 0, rounds = 0, most = 0;
  scope.Spawn(Watch(loop.get(), 1000, &taken, &rounds, &most));
  scope.Spawn(Take(&breather, 1000, &taken));
  while (scope.running() > 0) loop->RunOnce(0);
  EXPECT_EQ(taken, 1000);
  EXPECT_LE(most, 64);
  EXPECT_GE(rounds, 1000 / 64);
}

}  // namespace
}  // namespace incipit::testing
