// XXH3 with the widest vector unit of the running machine (AVX-512, AVX2 or portable; same results on all).
// Debian's shared library is built for SSE2 and hashes a third as fast; so xxHash's header is compiled here, once
// per instruction set, and one set is picked when the process starts. Thread safe. No allocation.
#pragma once

#include <sys/uio.h>
#include <array>
#include <cstdint>
#include <span>

#include "cache/base/bytes.h"

namespace incipit {

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

// Key material for keyed hashing; XXH3 wants at least 136 bytes of good entropy.
inline constexpr size_t kHashSecretBytes = 192;
using HashSecret = std::array<uint8_t, kHashSecretBytes>;

uint64_t Xxh3Of(ByteView bytes);
Hash128 Xxh3Of128(ByteView bytes);
Hash128 Xxh3Of128(ByteView bytes, const HashSecret& secret);

// Incremental XXH3-64 over pieces. Equal to Xxh3Of of the concatenation.
class Xxh3Stream {
 public:
  Xxh3Stream();
  Xxh3Stream(const Xxh3Stream&) = delete;
  Xxh3Stream& operator=(const Xxh3Stream&) = delete;
  void Reset();
  void Update(ByteView bytes);
  uint64_t Digest() const;

 private:
  // Aligned by hand: the frame of a coroutine, where one may live, is aligned to 16 bytes whatever alignas asks for.
  static constexpr size_t kStateAlign = 64;
  static constexpr size_t kStateBytes = 640;
  void* state() const;

  std::array<uint8_t, kStateBytes + kStateAlign> storage_;
};

// XXH3-64 of `bytes` bytes that start `offset` bytes into the concatenation of `pieces`.
// REQUIRES: offset + bytes within the pieces.
uint64_t Xxh3OfPieces(std::span<const iovec> pieces, uint64_t offset, uint64_t bytes);

// The instruction set in use: "avx512", "avx2" or "portable".
const char* Xxh3Kernel();

}  // namespace incipit
