// Where policies of several shards tell each other which prompts they have cut short.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

namespace incipit {

// A block at this depth, last touched by the request with this stamp, was evicted: what the same request touched deeper
// is of no use any more, wherever it lies.
struct Cut {
  uint64_t stamp_ns = 0;
  uint32_t depth_tokens = 0;
};

// Any thread: one short critical section per call. Remembers the last kCuts; a reader that comes later misses some,
// which costs it a hint and nothing else.
class CutBoard {
 public:
  static constexpr size_t kCuts = 4096;

  void Post(const Cut& cut) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (cuts_.size() < kCuts) cuts_.resize(kCuts);
    cuts_[posted_++ % kCuts] = cut;
  }
  // Calls `visit` with each cut after the first *read, and sets *read to how many there were. The board is locked.
  template <typename Visit>
  void ReadFrom(uint64_t* read, const Visit& visit) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (posted_ - *read > kCuts) *read = posted_ - kCuts;
    for (; *read < posted_; ++*read) visit(cuts_[*read % kCuts]);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Cut> cuts_;  // a ring
  uint64_t posted_ = 0;
};

}  // namespace incipit
