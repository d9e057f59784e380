// Lets the loop have a round now and then, in a coroutine that may find all it asks for without ever waiting.
#pragma once

#include <cstdint>

#include "cache/runtime/loop.h"

namespace incipit {

// `co_await breather.Next()`: every 64th time it suspends until the loop's next round, so that neither others on the
// thread starve nor the stack grows where the compiler makes calls of resumptions (GCC with sanitizers, or without
// optimizing).
class Breather {
 public:
  explicit Breather(Loop* loop) : loop_(loop) {}

  class Awaiter {
   public:
    Awaiter(Loop* loop, bool goes_on) : loop_(loop), goes_on_(goes_on) {}
    bool await_ready() const { return goes_on_; }
    void await_suspend(std::coroutine_handle<> waiter) { loop_->Post(waiter); }
    void await_resume() const {}

   private:
    Loop* loop_;
    bool goes_on_;
  };
  Awaiter Next() { return {loop_, ++count_ % kEvery != 0}; }

 private:
  static constexpr uint32_t kEvery = 64;
  Loop* loop_;
  uint32_t count_ = 0;
};

}  // namespace incipit
