#include "client/src/codec/coding_threads.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "cache/base/check.h"

namespace incipit {
namespace {

// With the loop's thread: whoever waits for the loop waits for less than 100 us. A batch is coded by all,
// then sent, then the next is coded: what was coded is still in the caches.
constexpr CodingGrain kGrainWithLoop{.job_bytes = 256 << 10, .sending_bytes = 6 << 20};

}  // namespace

CodingThreads::Crew CodingThreads::ByProcessors(uint32_t processors) {
  return {.threads = std::clamp(processors / 2, 1u, 4u), .with_loop = processors <= 2};
}

CodingThreads::CodingThreads(UringLoop* loop, Crew crew) : loop_(loop), crew_(crew) {
  INCIPIT_CHECK(crew.threads >= 1 && crew.threads <= kMaxThreads, "a number of coding threads out of range");
}

CodingThreads::~CodingThreads() {
  {
    const std::lock_guard lock(mutex_);
    INCIPIT_CHECK(waiting_.empty(), "coding was in flight when its threads were stopped");
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  if (crew_.with_loop && !threads_.empty()) loop_->RemovePoller(this);
}

CodingGrain CodingThreads::grain() const { return crew_.with_loop ? kGrainWithLoop : CodingGrain(); }

void CodingThreads::Begin() {
  if (crew_.with_loop) loop_->AddPoller(this);
  while (threads_.size() < crew_.threads) {
    threads_.emplace_back([this] { Serve(); });
    pthread_setname_np(threads_.back().native_handle(), "incipit-codec");
  }
}

void CodingThreads::Start(Work work, std::function<void()> done) {
  if (threads_.empty()) Begin();
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(work), std::move(done)});
  }
  changed_.notify_one();
}

void CodingThreads::StartWarm(Work work, std::function<void()> done) {
  if (!crew_.with_loop) return Start(std::move(work), std::move(done));
  work(&coder_);
  done();
}

bool CodingThreads::Poll() {
  Job job;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return false;
    job = std::move(waiting_.front());
    waiting_.pop_front();
  }
  job.work(&coder_);
  job.done();
  return true;
}

// New work comes from the loop's thread alone, which is awake then.
bool CodingThreads::PrepareToSleep() {
  const std::lock_guard lock(mutex_);
  return waiting_.empty();
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
