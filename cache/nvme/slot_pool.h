// The read memory of the tier, in slots of one size: what bounds both its memory and its depth of reading.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "cache/nvme/aligned_buffer.h"
#include "cache/runtime/sync.h"

namespace incipit {

// Owner: the tier. One thread. First come, first served: a read of many slots is not overtaken by small ones.
// All slots must be back at destruction.
class SlotPool {
 public:
  SlotPool(Loop* loop, uint32_t count, uint64_t slot_bytes);

  uint64_t slot_bytes() const { return slot_bytes_; }
  uint32_t count() const { return count_; }
  size_t free_count() const { return free_.size(); }
  MutableBytes At(uint32_t slot) const { return memory_.bytes().subspan(slot * slot_bytes_, slot_bytes_); }
  MutableBytes memory() const { return memory_.bytes(); }

  // Takes `count` slots; false if they were not there until `deadline_ns`. REQUIRES: count <= count().
  Task<bool> Acquire(uint32_t count, int64_t deadline_ns, std::vector<uint32_t>* slots);
  void Release(const std::vector<uint32_t>& slots);

 private:
  struct Waiter {
    Waiter(Loop* loop, uint32_t wanted) : count(wanted), ready(loop) {}
    uint32_t count;
    std::vector<uint32_t>* slots = nullptr;
    Event ready;
  };
  void Take(uint32_t count, std::vector<uint32_t>* slots);
  void ServeWaiters();

  Loop* loop_;
  uint32_t count_;
  uint64_t slot_bytes_;
  AlignedBuffer memory_;
  std::vector<uint32_t> free_;
  std::deque<Waiter*> waiters_;
};

}  // namespace incipit
