// Coding on threads of its own, and where processors are few on the loop's too.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "cache/runtime/loop_poller.h"
#include "cache/runtime/uring_loop.h"
#include "client/src/codec/coding_workers.h"

namespace incipit {

// The threads begin with the first work; a client that neither stores coded blocks nor meets any has none. Destroy it
// when nothing is in flight (checked; aborts), before the loop.
class CodingThreads : public CodingWorkers, private LoopPoller {
 public:
  static constexpr uint32_t kMaxThreads = 64;
  struct Crew {
    uint32_t threads = 1;
    // The loop's thread codes as well: at once what it has just received, and once a round one of the works that wait.
    // Worth it where a thread more would only take a processor from those who move the bytes.
    bool with_loop = false;
  };
  // Half of the processors, 1 to 4: the rest is the engine's, and of those who move the bytes. Of one or two there is
  // no rest, and the loop's thread helps.
  static Crew ByProcessors(uint32_t processors);

  // REQUIRES: 1 <= crew.threads <= kMaxThreads; the loop outlives it.
  CodingThreads(UringLoop* loop, Crew crew);
  ~CodingThreads() override;
  CodingThreads(const CodingThreads&) = delete;
  CodingThreads& operator=(const CodingThreads&) = delete;

  void Start(Work work, std::function<void()> done) override;
  void StartWarm(Work work, std::function<void()> done) override;
  CodingGrain grain() const override;

 private:
  struct Job {
    Work work;
    std::function<void()> done;
  };
  void Begin();
  void Serve();
  // As a poller: whether a work waited, which is then done.
  bool Poll() override;
  bool PrepareToSleep() override;
  int descriptor() const override { return kNoDescriptor; }

  UringLoop* loop_;
  Crew crew_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;  // of the loop's thread
  PieceCoder coder_;                  // the same
};

}  // namespace incipit
