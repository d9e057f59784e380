// One call of a bare hash function of PrefixHasher, without the set-up cost that OpenSSL's generic interface adds to
// each short message. Stateless, thread safe, no allocation.
#pragma once

#include "cache/base/bytes.h"
#include "client/hasher/prefix_hasher.h"

namespace incipit::hasher_internal {

inline constexpr size_t kMaxDigestBytes = 32;

inline constexpr size_t DigestBytes(HashAlgorithm algorithm) { return algorithm == HashAlgorithm::kSha256 ? 32 : 16; }

// Writes the digest of `message` at `out`, which may lie inside the message. XXH3-128 gives its low, then its high 64
// bits, each little-endian.
void Sha256Into(ByteView message, uint8_t* out);
void Xxh3Into(ByteView message, uint8_t* out);

inline void DigestInto(HashAlgorithm algorithm, ByteView message, uint8_t* out) {
  algorithm == HashAlgorithm::kSha256 ? Sha256Into(message, out) : Xxh3Into(message, out);
}

}  // namespace incipit::hasher_internal
