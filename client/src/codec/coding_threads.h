// Coding on threads of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "cache/runtime/uring_loop.h"
#include "client/src/codec/coding_workers.h"

namespace incipit {

// The threads begin with the first work; a client that neither stores coded blocks nor meets any has none. Destroy it
// when nothing is in flight (checked; aborts), before the loop.
class CodingThreads : public CodingWorkers {
 public:
  static constexpr uint32_t kMaxThreads = 64;
  // Half of the processors, 1 to 4: the rest is the engine's, and of those who move the bytes.
  static uint32_t DefaultThreads();

  // REQUIRES: 1 <= threads <= kMaxThreads; the loop outlives it.
  CodingThreads(UringLoop* loop, uint32_t threads);
  ~CodingThreads() override;
  CodingThreads(const CodingThreads&) = delete;
  CodingThreads& operator=(const CodingThreads&) = delete;

  void Start(Work work, std::function<void()> done) override;

 private:
  struct Job {
    Work work;
    std::function<void()> done;
  };
  void Serve();

  UringLoop* loop_;
  uint32_t thread_count_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;  // of the loop's thread
};

}  // namespace incipit
