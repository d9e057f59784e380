// Checksums of promised bytes, from a lane that copies them to where they belong: they are in its cache then.
#pragma once

#include <sys/uio.h>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cache/base/bytes.h"

namespace incipit {

// Parts follow one another from the first promised byte on. Those that come in one piece are checksummed on the way;
// of the others nothing is known. No lock: one thread.
class LandedDigests {
 public:
  explicit LandedDigests(const std::vector<uint64_t>& part_bytes);

  // Of the promised bytes the first `bytes` come by another way; positions count from behind them. Once, before the
  // first Place().
  void StartBehind(uint64_t bytes) { base_ = bytes; }

  // Copies `bytes`, which are those at `position`, to `to`, past the caches where nobody has to read them again.
  // REQUIRES: `to` holds as many bytes; no byte is placed twice, or a digest would be of bytes that are gone.
  void Place(uint64_t position, ByteView bytes, std::span<const iovec> to);

  // XXH3-64 of part `index` as it was placed; nothing if it did not come in one piece, or not this way.
  std::optional<uint64_t> Of(size_t index) const { return index < digests_.size() ? digests_[index] : std::nullopt; }

 private:
  std::vector<uint64_t> ends_;  // of the parts, as positions
  std::vector<std::optional<uint64_t>> digests_;
  uint64_t base_ = 0;
};

}  // namespace incipit
