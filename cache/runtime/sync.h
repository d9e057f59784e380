// Waiting between tasks of one loop: Event, Semaphore, TaskScope, sleeping. One thread; no locks.
// All wake-ups go through Loop::Post, so nothing resumes inside the call that causes it.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>

#include "cache/runtime/loop.h"
#include "cache/runtime/task.h"

namespace incipit {

// `co_await SleepUntil(loop, t)`: resumes at or soon after t.
class SleepUntil : private Timer {
 public:
  SleepUntil(Loop* loop, int64_t deadline_ns) : loop_(loop), deadline_ns_(deadline_ns) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    loop_->StartTimer(this, deadline_ns_);
  }
  void await_resume() const {}

 private:
  void OnTimer() override { loop_->Post(waiter_); }
  Loop* loop_;
  int64_t deadline_ns_;
  std::coroutine_handle<> waiter_;
};

// A flag to wait for. Stays set until Clear().
class Event {
 public:
  explicit Event(Loop* loop) : loop_(loop) {}
  ~Event();  // REQUIRES: no waiters
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void Set();
  void Clear() { set_ = false; }
  bool is_set() const { return set_; }

  // `bool set = co_await event.WaitUntil(deadline)`: false if the deadline came first.
  class Awaiter : private Timer {
   public:
    Awaiter(Event* event, int64_t deadline_ns) : event_(event), deadline_ns_(deadline_ns) {}
    bool await_ready() const { return event_->set_; }
    void await_suspend(std::coroutine_handle<> waiter);
    bool await_resume() const { return woken_ || event_->set_; }

   private:
    friend class Event;
    void OnTimer() override;
    Event* event_;
    int64_t deadline_ns_;
    bool woken_ = false;
    Awaiter* next_ = nullptr;
    Awaiter* previous_ = nullptr;
    std::coroutine_handle<> waiter_;
  };
  Awaiter Wait() { return Awaiter(this, kForeverNs); }
  Awaiter WaitUntil(int64_t deadline_ns) { return Awaiter(this, deadline_ns); }

 private:
  void Unlink(Awaiter* awaiter);
  Loop* loop_;
  bool set_ = false;
  Awaiter* first_ = nullptr;
  Awaiter* last_ = nullptr;
};

// Counts a bounded resource; first come, first served. A waiter for many is not overtaken by one for few.
class Semaphore {
 public:
  Semaphore(Loop* loop, uint64_t available) : loop_(loop), available_(available) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  bool TryAcquire(uint64_t count);
  void Release(uint64_t count);
  uint64_t available() const { return available_; }
  size_t waiters() const { return waiters_.size(); }

  // `co_await semaphore.Acquire(n)`. REQUIRES: n is at most what is ever available.
  class Awaiter {
   public:
    Awaiter(Semaphore* semaphore, uint64_t count) : semaphore_(semaphore), count_(count) {}
    bool await_ready() { return semaphore_->TryAcquire(count_); }
    void await_suspend(std::coroutine_handle<> waiter) {
      waiter_ = waiter;
      semaphore_->waiters_.push_back(this);
    }
    void await_resume() const {}

   private:
    friend class Semaphore;
    Semaphore* semaphore_;
    uint64_t count_;
    std::coroutine_handle<> waiter_;
  };
  Awaiter Acquire(uint64_t count) { return Awaiter(this, count); }

 private:
  Loop* loop_;
  uint64_t available_;
  std::deque<Awaiter*> waiters_;
};

// Owns tasks that run on their own. Join() before destroying it: it waits until all have ended.
class TaskScope {
 public:
  explicit TaskScope(Loop* loop) : idle_(loop) { idle_.Set(); }
  ~TaskScope();  // REQUIRES: no task is running (checked; aborts)
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  // Starts `task` now, in this call, up to its first suspension.
  void Spawn(Task<void> task);
  size_t running() const { return running_; }
  Event::Awaiter Join() { return idle_.Wait(); }
  // False if tasks still ran at `deadline_ns`.
  Event::Awaiter JoinUntil(int64_t deadline_ns) { return idle_.WaitUntil(deadline_ns); }

 private:
  struct Detached;
  static Detached Run(TaskScope* scope, Task<void> task);
  size_t running_ = 0;
  Event idle_;
};

}  // namespace incipit
