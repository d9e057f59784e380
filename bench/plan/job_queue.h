// Runs independent jobs on a few threads, within a budget of memory.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "bench/common/progress.h"

namespace incipit::bench {

// Jobs start in the order in which they were added, unless one does not fit beside those that run; one always runs.
// Add and Run: one thread. A job's `run` is called on a thread of the queue's, with a function that counts its
// progress.
class JobQueue {
 public:
  using Count = std::function<void(uint64_t steps)>;
  struct Job {
    uint64_t memory_bytes = 0;  // at most
    uint64_t steps = 0;         // that `run` will count
    std::function<void(const Count& count)> run;
  };

  JobQueue(uint32_t threads, uint64_t budget_bytes) : threads_(threads), budget_bytes_(budget_bytes) {}
  void Add(Job job) { jobs_.push_back(std::move(job)); }
  // Until all are done. Progress is told in steps.
  void Run(const std::string& activity, const ProgressSink& progress);

 private:
  void Work();
  size_t Take(std::unique_lock<std::mutex>* lock);

  uint32_t threads_;
  uint64_t budget_bytes_;
  std::vector<Job> jobs_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> started_;  // under mutex_
  uint64_t used_bytes_ = 0;    // under mutex_
  uint32_t running_ = 0;       // under mutex_
  uint32_t threads_left_ = 0;  // under mutex_
  std::atomic<uint64_t> steps_{0};
};

}  // namespace incipit::bench
