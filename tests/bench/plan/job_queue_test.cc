#include "bench/plan/job_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace incipit::bench {
namespace {

TEST(JobQueueTest, RunsEveryJobOnce) {
  std::atomic<int> runs{0};
  JobQueue queue(3, 1000);
  for (int i = 0; i < 50; ++i)
    queue.Add({.memory_bytes = 10, .steps = 1, .run = [&](const JobQueue::Count&) { ++runs; }});
  queue.Run("test", {});
  EXPECT_EQ(runs, 50);
}

TEST(JobQueueTest, NothingToDoEndsAtOnce) {
  JobQueue queue(2, 1000);
  queue.Run("test", {});
}

TEST(JobQueueTest, WhatRunsTogetherStaysWithinTheBudget) {
  std::mutex mutex;
  uint64_t used = 0, most = 0;
  int alone = 0;
  JobQueue queue(4, 100);
  for (const uint64_t bytes : {60, 60, 30, 500, 20, 20, 50, 90, 10}) {
    queue.Add({.memory_bytes = bytes, .steps = 1, .run = [&, bytes](const JobQueue::Count&) {
                 {
                   const std::lock_guard<std::mutex> lock(mutex);
                   used += bytes;
                   if (bytes > 100) {
                     EXPECT_EQ(used, bytes) << "more than the budget runs alone";
                     ++alone;
                   } else {
                     most = std::max(most, used);
                   }
                 }
                 std::this_thread::yield();
                 const std::lock_guard<std::mutex> lock(mutex);
                 used -= bytes;
               }});
  }
  queue.Run("test", {});
  EXPECT_EQ(alone, 1);
  EXPECT_LE(most, 100u);
}

TEST(JobQueueTest, ProgressIsToldInSteps) {
  std::atomic<bool> told{false};
  JobQueue queue(1, 1000);
  queue.Add({.steps = 10, .run = [&](const JobQueue::Count& count) {
               count(4);
               while (!told) std::this_thread::yield();
               count(6);
             }});
  queue.Run("counting", [&](const std::string& activity, uint64_t done, uint64_t total) {
    EXPECT_EQ(activity, "counting");
    EXPECT_EQ(total, 10u);
    EXPECT_LE(done, total);
    if (done == 4) told = true;
  });
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace incipit::bench
