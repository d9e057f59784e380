#include "cache/base/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace incipit {
namespace {

TEST(UsableProcessors, AreThoseThatTheThreadMayRunOn) {
  EXPECT_GE(UsableProcessors(), 1u);
  EXPECT_LE(UsableProcessors(), std::thread::hardware_concurrency());
  std::thread([] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(UsableProcessors(), 1u);
  }).join();
}

}  // namespace
}  // namespace incipit
