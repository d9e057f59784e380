#include "cache/nvme/slot_pool.h"

#include <algorithm>

namespace incipit {

SlotPool::SlotPool(Loop* loop, uint32_t count, uint64_t slot_bytes)
    : loop_(loop), count_(count), slot_bytes_(slot_bytes), memory_(count * slot_bytes) {
  free_.reserve(count);
  for (uint32_t i = 0; i < count; ++i) free_.push_back(count - 1 - i);
}

void SlotPool::Take(uint32_t count, std::vector<uint32_t>* slots) {
  slots->assign(free_.end() - count, free_.end());
  free_.resize(free_.size() - count);
}

Task<bool> SlotPool::Acquire(uint32_t count, int64_t deadline_ns, std::vector<uint32_t>* slots) {
  if (waiters_.empty() && count <= free_.size()) {
    Take(count, slots);
    co_return true;
  }
  Waiter waiter(loop_, count);
  waiter.slots = slots;
  waiters_.push_back(&waiter);
  const bool ready = co_await waiter.ready.WaitUntil(deadline_ns);
  if (ready) co_return true;
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &waiter));
  ServeWaiters();  // the next one may want fewer
  co_return false;
}

void SlotPool::Release(const std::vector<uint32_t>& slots) {
  free_.insert(free_.end(), slots.begin(), slots.end());
  ServeWaiters();
}

void SlotPool::ServeWaiters() {
  while (!waiters_.empty() && waiters_.front()->count <= free_.size()) {
    Waiter* waiter = waiters_.front();
    waiters_.pop_front();
    Take(waiter->count, waiter->slots);
    waiter->ready.Set();
  }
}

}  // namespace incipit
