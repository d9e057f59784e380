// Copies one list of pieces to another, a slice at a time.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>

namespace incipit {

// Both lists must outlive it. Ends where the shorter one does. One thread.
class PieceCopy {
 public:
  // How the bytes are written: past the caches (a reader on another core), or through them (whoever copies reads next).
  enum class Stores { kStreaming, kCached };
  PieceCopy(std::span<const iovec> from, std::span<const iovec> to, Stores stores)
      : from_{from}, to_{to}, stores_(stores) {}

  // Goes on into other pieces. REQUIRES: those before are full.
  void To(std::span<const iovec> to) { to_ = {to}; }
  // The next bytes, at most so many. False: nothing is left.
  bool Copy(uint64_t most_bytes);
  // Moves on in `from` only, over bytes that nobody wants.
  void SkipFrom(uint64_t bytes);

 private:
  // A place in a list.
  struct Cursor {
    std::span<const iovec> pieces;
    uint64_t offset = 0;  // in the first
    void SkipEmpty();
    uint64_t Here() const { return pieces.empty() ? 0 : pieces.front().iov_len - offset; }
    uint8_t* At() const { return static_cast<uint8_t*>(pieces.front().iov_base) + offset; }
    void Advance(uint64_t bytes);
  };
  Cursor from_, to_;
  Stores stores_;
};

}  // namespace incipit
