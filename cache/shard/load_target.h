// Where one shared load goes: the client's own memory, which the shard writes to slice by slice, as long as the client
// lets it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cache/runtime/loop.h"
#include "cache/runtime/task.h"
#include "transport/frame_channel.h"
#include "transport/shared/region_table.h"
#include "transport/wire/messages.h"

namespace incipit {

// Belongs to a LoadJob. One thread: the shard's. Keeps the regions mapped as long as it lives.
class LoadTarget {
 public:
  // `bytes_by_key`: how much of the places belongs to each key of the request, in its order. NotFound,
  // InvalidArgument: as RegionTable.
  static absl::StatusOr<LoadTarget> Create(const RegionTable& regions, const wire::SharedPlaces& places,
                                           std::vector<uint64_t> bytes_by_key);

  uint64_t BytesOf(uint32_t index) const { return bytes_by_key_[index]; }

  // Copies `payload`, the bytes of those of `blocks` that are hits, to their places: at most `slice_bytes` at a time,
  // and then whatever else the loop has to do. False: the client takes nothing more of this load, or `channel` was
  // closed; some of the bytes may have been copied then.
  Task<bool> Place(Loop* loop, const FrameChannel* channel, std::span<const iovec> payload,
                   std::span<const wire::LoadedBlock> blocks, uint64_t slice_bytes);

 private:
  // Of the first byte of a key's place.
  struct Start {
    size_t piece = 0;
    uint64_t offset = 0;
  };
  LoadTarget(SharedMemory memory, LoadGate gate, std::vector<uint64_t> bytes_by_key);
  void AppendPlace(uint32_t index, std::vector<iovec>* out) const;

  SharedMemory memory_;
  LoadGate gate_;
  std::vector<uint64_t> bytes_by_key_;
  std::vector<Start> starts_;
};

}  // namespace incipit
