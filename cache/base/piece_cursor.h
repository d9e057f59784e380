// Walks a list of memory pieces by bytes.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "cache/base/bytes.h"
#include "cache/base/check.h"

namespace incipit {

inline uint64_t BytesOf(std::span<const iovec> pieces) {
  uint64_t bytes = 0;
  for (const iovec& piece : pieces) bytes += piece.iov_len;
  return bytes;
}

// A view: the pieces must outlive it.
class PieceCursor {
 public:
  PieceCursor() = default;
  PieceCursor(std::span<const iovec> pieces, uint64_t skip_bytes) : pieces_(pieces) { Skip(skip_bytes); }

  // REQUIRES: that many are left.
  void Skip(uint64_t bytes) {
    while (bytes > 0) {
      INCIPIT_CHECK(!pieces_.empty(), "offset beyond the pieces");
      const uint64_t step = std::min<uint64_t>(bytes, pieces_.front().iov_len - offset_);
      Advance(step);
      bytes -= step;
    }
  }

  // Appends the next `bytes` bytes to `out`. REQUIRES: that many are left.
  void Take(uint64_t bytes, std::vector<iovec>* out) {
    while (bytes > 0) {
      INCIPIT_CHECK(!pieces_.empty(), "more bytes asked for than the pieces hold");
      const uint64_t step = std::min<uint64_t>(bytes, pieces_.front().iov_len - offset_);
      if (step > 0) Append({static_cast<uint8_t*>(pieces_.front().iov_base) + offset_, step}, out);
      Advance(step);
      bytes -= step;
    }
  }

  // The next stretch in one piece of memory, of at most `most` bytes; empty at the end.
  MutableBytes Next(uint64_t most) {
    while (!pieces_.empty() && pieces_.front().iov_len == 0) pieces_ = pieces_.subspan(1);
    if (pieces_.empty()) return {};
    const uint64_t step = std::min<uint64_t>(most, pieces_.front().iov_len - offset_);
    const MutableBytes stretch(static_cast<uint8_t*>(pieces_.front().iov_base) + offset_, step);
    Advance(step);
    return stretch;
  }

  // Neighbours in memory become one piece.
  static void Append(iovec piece, std::vector<iovec>* out) {
    if (!out->empty() && static_cast<uint8_t*>(out->back().iov_base) + out->back().iov_len == piece.iov_base) {
      out->back().iov_len += piece.iov_len;
    } else {
      out->push_back(piece);
    }
  }

 private:
  void Advance(uint64_t step) {
    offset_ += step;
    if (offset_ < pieces_.front().iov_len) return;
    pieces_ = pieces_.subspan(1);
    offset_ = 0;
  }

  std::span<const iovec> pieces_;
  uint64_t offset_ = 0;
};

}  // namespace incipit
