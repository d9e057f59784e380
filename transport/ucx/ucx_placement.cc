#include "transport/ucx/ucx_placement.h"

#include "transport/landed_digests.h"

namespace incipit {

bool UcxPlacement::Place(uint64_t offset, ByteView bytes) {
  if (offset != placed_ || bytes.size() > bytes_ - placed_) return false;
  std::vector<iovec> to;
  PieceCursor(target_, offset).Take(bytes.size(), &to);
  digests_->Place(position_ + offset, bytes, to);
  placed_ += bytes.size();
  return true;
}

}  // namespace incipit
