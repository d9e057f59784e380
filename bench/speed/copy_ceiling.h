// What one core makes of it: memcpy of each block out of memory that no cache holds, then an XXH3-64 pass over the
// copy.
#pragma once

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "bench/common/block_set.h"
#include "bench/common/mapped_buffer.h"

namespace incipit::bench {

// Owner: one benchmark. One thread.
class CopyCeiling {
 public:
  static constexpr const char* kName = "memcpy then XXH3-64 of each block on one core, cold source, same buffers";
  // Takes `data_bytes` of memory as the source: far more than the caches.
  static absl::StatusOr<std::unique_ptr<CopyCeiling>> Create(uint64_t data_bytes);
  // Copies and hashes pieces of the blocks' sizes into `buffer`, one after the other; gives the seconds it took. The
  // copies are compared afterwards, at the same cost to the caches as a benchmark's own check; DataLoss if wrong.
  absl::StatusOr<double> Move(std::span<const PlannedBlock> blocks, MutableBytes buffer);

 private:
  MappedBuffer source_;
  uint64_t position_ = 0;  // goes round
};

}  // namespace incipit::bench
