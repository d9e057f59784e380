// Gives regions new lives: writes headers with fresh generations, so that no record of an earlier life counts.
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "cache/nvme/device.h"
#include "cache/nvme/region_table.h"

namespace incipit {

// Owner: the tier. Generations only grow, over the whole store and all its restarts.
class RegionStamper {
 public:
  RegionStamper(Device* device, RegionTable* table) : device_(device), table_(table) {}
  void set_store_id(const std::array<uint8_t, 16>& store_id) { store_id_ = store_id; }
  const std::array<uint8_t, 16>& store_id() const { return store_id_; }
  void set_next_generation(uint64_t generation) { next_generation_ = generation; }

  // Writes a header with a new generation and flushes, so that it is durable before any record of the new life, and
  // so is everything written before: a moved record never dies with the region it came from.
  Task<absl::StatusOr<uint64_t>> Stamp(uint32_t region);

 private:
  Device* device_;
  RegionTable* table_;
  std::array<uint8_t, 16> store_id_{};
  uint64_t next_generation_ = 1;
};

}  // namespace incipit
