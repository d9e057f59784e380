// How far a shard is with giving its blocks away: written by its thread, read by any.
#pragma once

#include <atomic>
#include <cstdint>

#include "transport/wire/node_messages.h"

namespace incipit {

struct MoveOrder {
  uint64_t bytes_per_s = 0;  // of this shard; 0 = no limit
};

struct MoveBoard {
  struct Count {
    std::atomic<uint64_t> blocks{0}, bytes{0};
    void Add(uint64_t more_bytes) {
      blocks.fetch_add(1, std::memory_order_relaxed);
      bytes.fetch_add(more_bytes, std::memory_order_relaxed);
    }
    wire::DrainCount Read() const {
      return {blocks.load(std::memory_order_relaxed), bytes.load(std::memory_order_relaxed)};
    }
  };
  Count total, moved, present, unwanted, lost;
  std::atomic<bool> done{false};  // nothing is left to do, or it was stopped

  wire::DrainProgress Read() const {
    return {total.Read(), moved.Read(), present.Read(), unwanted.Read(), lost.Read()};
  }
};

}  // namespace incipit
