#include "client/src/codec/buffer_pool.h"

#include <algorithm>
#include <utility>

namespace incipit {
namespace {

// Capacities are whole multiples, so that buffers for requests of about one size serve each other.
constexpr uint64_t kStepBytes = 256 << 10;
// A larger buffer than that is left for who needs it.
constexpr uint64_t kMaxExcess = 8;

}  // namespace

BufferPool::Buffer& BufferPool::Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  GiveBack();
  pool_ = other.pool_;
  memory_ = std::move(other.memory_);
  bytes_ = other.bytes_;
  capacity_ = other.capacity_;
  return *this;
}

void BufferPool::Buffer::GiveBack() {
  if (memory_ == nullptr) return;
  if (capacity_ <= kMaxIdleBytes - pool_->idle_bytes_) {
    pool_->idle_bytes_ += capacity_;
    pool_->idle_.push_back({std::move(memory_), capacity_});
  }
  memory_.reset();
}

BufferPool::Buffer BufferPool::Take(uint64_t bytes) {
  Buffer buffer;
  buffer.pool_ = this;
  buffer.bytes_ = bytes;
  const uint64_t capacity = AlignUp(std::max<uint64_t>(bytes, 1), kStepBytes);
  for (size_t i = idle_.size(); i-- > 0;) {
    if (idle_[i].capacity < capacity || idle_[i].capacity / kMaxExcess > capacity) continue;
    buffer.memory_ = std::move(idle_[i].memory);
    buffer.capacity_ = idle_[i].capacity;
    idle_bytes_ -= buffer.capacity_;
    idle_.erase(idle_.begin() + static_cast<int64_t>(i));
    return buffer;
  }
  buffer.memory_ = std::make_unique_for_overwrite<uint8_t[]>(capacity);
  buffer.capacity_ = capacity;
  return buffer;
}

}  // namespace incipit
