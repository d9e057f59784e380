#include "cache/shard/load_target.h"

#include <algorithm>
#include <numeric>

#include "cache/base/status_macros.h"
#include "cache/runtime/sync.h"
#include "transport/shared/piece_copy.h"

namespace incipit {

absl::StatusOr<LoadTarget> LoadTarget::Create(const RegionTable& regions, const wire::SharedPlaces& places,
                                              std::vector<uint64_t> bytes_by_key) {
  const uint64_t bytes = std::accumulate(bytes_by_key.begin(), bytes_by_key.end(), uint64_t{0});
  ASSIGN_OR_RETURN(SharedMemory memory, regions.Resolve(places, bytes));
  ASSIGN_OR_RETURN(LoadGate gate, regions.GateOf(places.slot));
  return LoadTarget(std::move(memory), std::move(gate), std::move(bytes_by_key));
}

LoadTarget::LoadTarget(SharedMemory memory, LoadGate gate, std::vector<uint64_t> bytes_by_key)
    : memory_(std::move(memory)), gate_(std::move(gate)), bytes_by_key_(std::move(bytes_by_key)) {
  Start start;
  for (uint64_t left : bytes_by_key_) {
    starts_.push_back(start);
    while (left > 0) {
      const uint64_t step = std::min<uint64_t>(left, memory_.pieces[start.piece].iov_len - start.offset);
      start.offset += step;
      left -= step;
      if (start.offset == memory_.pieces[start.piece].iov_len) start = {start.piece + 1, 0};
    }
  }
}

void LoadTarget::AppendPlace(uint32_t index, std::vector<iovec>* out) const {
  Start at = starts_[index];
  for (uint64_t left = bytes_by_key_[index]; left > 0; at = {at.piece + 1, 0}) {
    const iovec& piece = memory_.pieces[at.piece];
    const uint64_t step = std::min<uint64_t>(left, piece.iov_len - at.offset);
    out->push_back({static_cast<uint8_t*>(piece.iov_base) + at.offset, step});
    left -= step;
  }
}

Task<bool> LoadTarget::Place(Loop* loop, const FrameChannel* channel, std::span<const iovec> payload,
                             std::span<const wire::LoadedBlock> blocks, uint64_t slice_bytes) {
  std::vector<iovec> places;
  for (const wire::LoadedBlock& block : blocks) {
    if (block.status == wire::BlockStatus::kOk) AppendPlace(block.index, &places);
  }
  PieceCopy copy(payload, places, PieceCopy::Stores::kStreaming);
  while (true) {
    if (channel->closed() || !BeginCopy(gate_.word())) co_return false;
    const bool more = copy.Copy(slice_bytes);
    EndCopy(gate_.word());
    if (!more) co_return true;
    co_await SleepUntil(loop, 0);
  }
}

}  // namespace incipit
