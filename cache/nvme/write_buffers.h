// The few large buffers that records are gathered in on their way to the device.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "cache/nvme/aligned_buffer.h"
#include "cache/nvme/condition.h"

namespace incipit {

class WriteBuffers;

// One buffer, lent; goes back when destroyed. Move-only.
class WriteBuffer {
 public:
  WriteBuffer() = default;
  WriteBuffer(WriteBuffers* pool, MutableBytes bytes) : pool_(pool), bytes_(bytes) {}
  WriteBuffer(WriteBuffer&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), bytes_(other.bytes_) {}
  WriteBuffer& operator=(WriteBuffer&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~WriteBuffer();
  MutableBytes bytes() const { return bytes_; }

 private:
  WriteBuffers* pool_ = nullptr;
  MutableBytes bytes_;
};

// Owner: the tier. One thread. All buffers must be back at destruction.
class WriteBuffers {
 public:
  WriteBuffers(Loop* loop, uint32_t count, uint64_t bytes_each)
      : memory_(count * bytes_each), bytes_each_(bytes_each), returned_(loop) {
    for (uint32_t i = 0; i < count; ++i) free_.push_back(count - 1 - i);
  }
  bool empty() const { return free_.empty(); }
  // REQUIRES: !empty().
  WriteBuffer Take() {
    const uint64_t index = free_.back();
    free_.pop_back();
    return WriteBuffer(this, memory_.bytes().subspan(index * bytes_each_, bytes_each_));
  }
  // Notified when a buffer comes back.
  Condition& returned() { return returned_; }
  uint64_t bytes_each() const { return bytes_each_; }
  MutableBytes memory() const { return memory_.bytes(); }

 private:
  friend class WriteBuffer;
  AlignedBuffer memory_;
  uint64_t bytes_each_;
  std::vector<uint64_t> free_;
  Condition returned_;
};

inline WriteBuffer::~WriteBuffer() {
  if (pool_ == nullptr) return;
  pool_->free_.push_back((bytes_.data() - pool_->memory_.bytes().data()) / pool_->bytes_each_);
  pool_->returned_.NotifyAll();
}

}  // namespace incipit
