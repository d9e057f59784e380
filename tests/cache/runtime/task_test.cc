#include "cache/runtime/task.h"

#include <memory>

#include <gtest/gtest.h>

#include "cache/runtime/sim_loop.h"

namespace incipit {
namespace {

Task<int> Depth(int n) {
  if (n == 0) co_return 0;
  Task<int> below = Depth(n - 1);
  const int value = co_await below;
  co_return value + 1;
}

TEST(TaskTest, LongChainsReturnTheirValues) {
  SimLoop loop;
  EXPECT_EQ(loop.Run(Depth(1000)), 1000);
}

TEST(TaskTest, NothingRunsBeforeItIsAwaited) {
  bool ran = false;
  const auto run = [](bool* flag) -> Task<void> {
    *flag = true;
    co_return;
  };
  {
    const Task<void> never_awaited = run(&ran);
    EXPECT_FALSE(ran);
  }
  EXPECT_FALSE(ran);
  SimLoop loop;
  loop.Run(run(&ran));
  EXPECT_TRUE(ran);
}

TEST(TaskTest, UnstartedTaskReleasesItsParameters) {
  const auto shared = std::make_shared<int>(1);
  const auto hold = [](std::shared_ptr<int> kept) -> Task<int> { co_return *kept; };
  {
    const Task<int> task = hold(shared);
    EXPECT_EQ(shared.use_count(), 2);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(TaskTest, MoveOnlyValuesComeThrough) {
  const auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
  SimLoop loop;
  EXPECT_EQ(*loop.Run(make()), 5);
}

TEST(TaskTest, AssignedOverTaskIsDestroyedOnce) {
  const auto first = std::make_shared<int>(1), second = std::make_shared<int>(2);
  const auto hold = [](std::shared_ptr<int> kept) -> Task<int> { co_return *kept; };
  Task<int> task = hold(first);
  task = hold(second);
  EXPECT_EQ(first.use_count(), 1);
  SimLoop loop;
  EXPECT_EQ(loop.Run(std::move(task)), 2);
  EXPECT_EQ(second.use_count(), 1);
}

}  // namespace
}  // namespace incipit
