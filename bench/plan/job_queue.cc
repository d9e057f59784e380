#include "bench/plan/job_queue.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace incipit::bench {
namespace {

constexpr std::chrono::milliseconds kProgressStep(100);
constexpr size_t kNone = SIZE_MAX;

}  // namespace

void JobQueue::Run(const std::string& activity, const ProgressSink& progress) {
  uint64_t total = 0;
  for (const Job& job : jobs_) total += job.steps;
  started_.assign(jobs_.size(), false);
  steps_ = 0;
  threads_left_ = std::max<uint32_t>(1, std::min<uint32_t>(threads_, static_cast<uint32_t>(jobs_.size())));
  std::vector<std::thread> threads;
  for (uint32_t i = threads_left_; i > 0; --i) threads.emplace_back([this] { Work(); });
  {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!changed_.wait_for(lock, kProgressStep, [this] { return threads_left_ == 0; })) {
      lock.unlock();
      Show(progress, activity, steps_, total);
      lock.lock();
    }
  }
  for (std::thread& thread : threads) thread.join();
  jobs_.clear();
}

// The first job that fits, waiting for room if there is none; kNone when all have started.
size_t JobQueue::Take(std::unique_lock<std::mutex>* lock) {
  while (true) {
    bool left = false;
    for (size_t i = 0; i < jobs_.size(); ++i) {
      if (started_[i]) continue;
      left = true;
      if (running_ > 0 && jobs_[i].memory_bytes > budget_bytes_ - std::min(budget_bytes_, used_bytes_)) continue;
      return i;
    }
    if (!left) return kNone;
    changed_.wait(*lock);
  }
}

void JobQueue::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (size_t i = Take(&lock); i != kNone; i = Take(&lock)) {
    started_[i] = true;
    used_bytes_ += jobs_[i].memory_bytes;
    ++running_;
    lock.unlock();
    jobs_[i].run([this](uint64_t steps) { steps_ += steps; });
    lock.lock();
    used_bytes_ -= jobs_[i].memory_bytes;
    --running_;
    changed_.notify_all();
  }
  --threads_left_;
  changed_.notify_all();
}

}  // namespace incipit::bench
