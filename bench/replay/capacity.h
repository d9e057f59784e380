// What sizes to give a node so that its tiers hold a wanted number of blocks. Pure functions.
#pragma once

#include <cstdint>

#include "cache/format/layout.h"

namespace incipit::bench {

struct BlockShape {
  uint64_t payload_bytes = 0;
  uint64_t record_bytes = 0;  // with header and segment table, as stored
};

// Of a whole block of group 0. REQUIRES: a block of one part.
BlockShape ShapeOf(const Layout& layout, const std::string& tenant, const std::string& model, size_t key_bytes);

struct NvmeSizes {
  uint64_t nvme_bytes = 0;  // over all shards
  uint64_t region_bytes = 0;
};

// RAM over all shards that holds nearest to `blocks` records: whole steps of the arena for each shard, at least one.
uint64_t RamBytesFor(uint64_t blocks, const BlockShape& shape, uint16_t shards);
// NVMe over all shards whose usable part (NvmeTier::UsableBytes) holds `blocks` records, with regions small enough
// that the few kept free cost little.
NvmeSizes NvmeSizesFor(uint64_t blocks, const BlockShape& shape, uint16_t shards);
// Region size that suits a tier of `nvme_bytes` over all shards: about 1/64 of a shard's part, and room for records.
uint64_t RegionBytesFor(uint64_t nvme_bytes, const BlockShape& shape, uint16_t shards);

}  // namespace incipit::bench
