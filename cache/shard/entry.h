// What a shard knows of one block: identity, sizes, where its bytes are, who is using them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "cache/base/bytes.h"
#include "cache/base/types.h"
#include "cache/base/xxh3.h"
#include "cache/format/record.h"
#include "cache/nvme/nvme_tier.h"
#include "cache/ram/arena.h"

namespace incipit {

// Index of a namespace in its shard's NamespaceTable.
using NamespaceId = uint32_t;

// Lives in an EntryTable slot from admission until nothing uses it any more, which may be after the block left the
// index ("doomed"): readers, leases and writes in flight keep the slot, and through it the memory, in place.
struct Entry {
  Hash128 hash;
  NamespaceId namespace_id = 0;
  GroupIndex group = 0;
  uint16_t part = 0;
  uint32_t depth_tokens = 0;
  uint32_t header_bytes = 0;
  uint32_t stored_bytes = 0;
  uint32_t raw_bytes = 0;
  uint16_t segment_count = 0;
  Codec codec = Codec::kRaw;
  bool indexed : 1 = false;  // the index points here
  bool in_ram : 1 = false;   // `ram` holds the record and the RAM policy holds the id
  bool in_all_policy : 1 = false;
  bool nvme_only : 1 = false;
  bool writing : 1 = false;     // an append reads the RAM copy
  bool nvme_spare : 1 = false;  // the copy at `nvme` is marked spare
  uint8_t turn = 0;             // of its conversation in which it was stored, see RequestTurns; 0 = not known
  uint16_t owner = 0;           // TenantIndex that its memory is counted for
  uint32_t pins = 0;            // leases that promise its presence
  uint32_t readers = 0;         // loads that read its RAM copy
  DiskLocation nvme;            // valid: a copy lies there
  absl::InlinedVector<uint8_t, 32> key;
  ExtentList ram;

  uint64_t RecordBytes() const { return uint64_t{header_bytes} + stored_bytes; }
  // What it takes outside its slot: keys over 32 bytes, more than 4 extents.
  uint64_t HeapBytes() const {
    const uint64_t of_key = key.capacity() > 32 ? key.capacity() : 0;
    return of_key + (ram.capacity() > 4 ? ram.capacity() * sizeof(Extent) : 0);
  }
  bool InUse() const { return pins > 0 || readers > 0 || writing; }
};

// Dense slots with stable addresses. One thread.
class EntryTable {
 public:
  BlockId Allocate() {
    if (free_.empty()) {
      if (next_ % kChunk == 0) chunks_.push_back(std::make_unique<Entry[]>(kChunk));
      return next_++;
    }
    const BlockId id = free_.back();
    free_.pop_back();
    return id;
  }
  void Free(BlockId id) {
    Entry* entry = &At(id);
    std::destroy_at(entry);
    std::construct_at(entry);
    free_.push_back(id);
  }
  Entry& At(BlockId id) { return chunks_[id / kChunk][id % kChunk]; }
  const Entry& At(BlockId id) const { return chunks_[id / kChunk][id % kChunk]; }
  size_t size() const { return next_ - free_.size(); }
  // Memory of the slots, exact, and of what they own outside, estimated from some of them.
  uint64_t MemoryBytes() const {
    const BlockId step = next_ / kSampledEntries + 1;
    uint64_t heap_bytes = 0;
    for (BlockId id = 0; id < next_; id += step) heap_bytes += At(id).HeapBytes() * step;
    return chunks_.size() * kChunk * sizeof(Entry) + free_.capacity() * sizeof(BlockId) + heap_bytes;
  }
  BlockId end() const { return next_; }  // ids are below it; freed ones among them are not indexed

 private:
  static constexpr uint32_t kChunk = 4096;
  static constexpr BlockId kSampledEntries = 1024;
  std::vector<std::unique_ptr<Entry[]>> chunks_;
  std::vector<BlockId> free_;
  BlockId next_ = 0;
};

}  // namespace incipit
