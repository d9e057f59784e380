#include "client/src/codec/coding_threads.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "cache/base/check.h"

namespace incipit {

uint32_t CodingThreads::DefaultThreads() { return std::clamp(std::thread::hardware_concurrency() / 2, 1u, 4u); }

CodingThreads::CodingThreads(UringLoop* loop, uint32_t threads) : loop_(loop), thread_count_(threads) {
  INCIPIT_CHECK(threads >= 1 && threads <= kMaxThreads, "a number of coding threads out of range");
}

CodingThreads::~CodingThreads() {
  {
    const std::lock_guard lock(mutex_);
    INCIPIT_CHECK(waiting_.empty(), "coding was in flight when its threads were stopped");
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void CodingThreads::Start(Work work, std::function<void()> done) {
  while (threads_.size() < thread_count_) {
    threads_.emplace_back([this] { Serve(); });
    pthread_setname_np(threads_.back().native_handle(), "incipit-codec");
  }
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(work), std::move(done)});
  }
  changed_.notify_one();
}

void CodingThreads::Serve() {
  PieceCoder coder;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job.work(&coder);
    job.work = nullptr;
    loop_->PostFromAnyThread(std::move(job.done));
    lock.lock();
  }
}

}  // namespace incipit
