#include "cache/runtime/loop.h"

namespace incipit {

void Loop::StartTimer(Timer* timer, int64_t deadline_ns) {
  CancelTimer(timer);
  timer->started_ = true;
  timer->deadline_ns_ = deadline_ns;
  timer->tie_break_ = next_tie_break_++;
  timers_.insert({deadline_ns, timer->tie_break_, timer});
}

void Loop::CancelTimer(Timer* timer) {
  if (!timer->started_) return;
  timers_.erase({timer->deadline_ns_, timer->tie_break_, timer});
  timer->started_ = false;
}

size_t Loop::RunReady() {
  running_.swap(ready_);
  const size_t count = running_.size();
  for (size_t i = 0; i < count; ++i) running_[i].resume();
  running_.clear();
  return count;
}

void Loop::FireTimers(int64_t now_ns) {
  while (!timers_.empty() && timers_.begin()->deadline_ns <= now_ns) {
    Timer* timer = timers_.begin()->timer;
    CancelTimer(timer);
    timer->OnTimer();
  }
}

}  // namespace incipit
