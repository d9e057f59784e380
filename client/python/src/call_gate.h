// Lets calls in until it is closed, and closing wait for those that are inside.
#pragma once

#include <condition_variable>
#include <mutex>

namespace incipit::python {

// Any thread. Nobody needs the GIL while holding its lock.
class CallGate {
 public:
  // False if closed. Each true is followed by one Leave().
  bool Enter() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return false;
    ++inside_;
    return true;
  }
  void Leave() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--inside_ == 0) empty_.notify_all();
  }
  // Returns when the last call has left. REQUIRES: without the GIL, which calls inside may need to leave.
  void Close() {
    std::unique_lock<std::mutex> lock(mutex_);
    closed_ = true;
    empty_.wait(lock, [this] { return inside_ == 0; });
  }
  bool closed() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return closed_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable empty_;
  bool closed_ = false;
  int inside_ = 0;
};

}  // namespace incipit::python
