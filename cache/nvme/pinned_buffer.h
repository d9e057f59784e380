// Memory of one operation on one region: given to Device as what the operation keeps alive, so that neither the
// memory nor the region is reused before the operation has really ended.
#pragma once

#include "cache/nvme/aligned_buffer.h"
#include "cache/nvme/region_table.h"

namespace incipit {

struct PinnedBuffer {
  PinnedBuffer(uint64_t bytes, RegionTable* table, uint32_t region) : memory(bytes), pin(table, region) {}
  MutableBytes bytes() const { return memory.bytes(); }
  AlignedBuffer memory;
  RegionPin pin;
};

}  // namespace incipit
