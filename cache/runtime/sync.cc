#include "cache/runtime/sync.h"

#include <cstdlib>

namespace incipit {

Event::~Event() {
  if (first_ != nullptr) std::abort();
}

void Event::Set() {
  set_ = true;
  while (first_ != nullptr) {
    Awaiter* awaiter = first_;
    Unlink(awaiter);
    loop_->CancelTimer(awaiter);
    awaiter->woken_ = true;
    loop_->Post(awaiter->waiter_);
  }
}

void Event::Unlink(Awaiter* awaiter) {
  (awaiter->previous_ ? awaiter->previous_->next_ : first_) = awaiter->next_;
  (awaiter->next_ ? awaiter->next_->previous_ : last_) = awaiter->previous_;
  awaiter->next_ = awaiter->previous_ = nullptr;
}

void Event::Awaiter::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  previous_ = event_->last_;
  (event_->last_ ? event_->last_->next_ : event_->first_) = this;
  event_->last_ = this;
  if (deadline_ns_ != kForeverNs) event_->loop_->StartTimer(this, deadline_ns_);
}

void Event::Awaiter::OnTimer() {
  event_->Unlink(this);
  event_->loop_->Post(waiter_);
}

bool Semaphore::TryAcquire(uint64_t count) {
  if (!waiters_.empty() || available_ < count) return false;
  available_ -= count;
  return true;
}

void Semaphore::Release(uint64_t count) {
  available_ += count;
  while (!waiters_.empty() && waiters_.front()->count_ <= available_) {
    Awaiter* awaiter = waiters_.front();
    waiters_.pop_front();
    available_ -= awaiter->count_;
    loop_->Post(awaiter->waiter_);
  }
}

// A coroutine that nobody awaits; its frame frees itself at the end.
struct TaskScope::Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

TaskScope::Detached TaskScope::Run(TaskScope* scope, Task<void> task) {
  co_await task;
  if (--scope->running_ == 0) scope->idle_.Set();
}

void TaskScope::Spawn(Task<void> task) {
  ++running_;
  idle_.Clear();
  Run(this, std::move(task));
}

TaskScope::~TaskScope() {
  if (running_ != 0) std::abort();
}

}  // namespace incipit
