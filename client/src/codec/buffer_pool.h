// Memory that encoded segments are in on their way out, or before they are decoded.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cache/base/bytes.h"

namespace incipit {

// Owner: one client; outlives its buffers. One thread: the loop's. The last buffer given back is the next one taken,
// since it may still be in the processor's cache. What is out is bounded by those who take: kMaxSendingBytes of stores
// (unless a single one is larger), and one stretch of a load for each shard.
class BufferPool {
 public:
  static constexpr uint64_t kMaxSendingBytes = 32ull << 20;
  static constexpr uint64_t kMaxIdleBytes = 48ull << 20;  // kept for the next; the rest is given back to the system

  // Move-only; goes back to the pool at its end.
  class Buffer {
   public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept = default;
    Buffer& operator=(Buffer&& other) noexcept;
    ~Buffer() { GiveBack(); }
    // What was asked for, with whatever was in it before.
    MutableBytes bytes() const { return {memory_.get(), bytes_}; }

   private:
    friend class BufferPool;
    void GiveBack();
    BufferPool* pool_ = nullptr;
    std::unique_ptr<uint8_t[]> memory_;
    uint64_t bytes_ = 0, capacity_ = 0;
  };

  Buffer Take(uint64_t bytes);
  uint64_t idle_bytes() const { return idle_bytes_; }

 private:
  struct Idle {
    std::unique_ptr<uint8_t[]> memory;
    uint64_t capacity = 0;
  };
  std::vector<Idle> idle_;  // the last one was used last
  uint64_t idle_bytes_ = 0;
};

}  // namespace incipit
