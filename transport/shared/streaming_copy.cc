#include "transport/shared/streaming_copy.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

namespace incipit {
namespace {

constexpr size_t kLineBytes = 64;
// Below this the edges, which are copied as usual, cost more than streaming saves.
constexpr size_t kLeastBytes = 4096;

// `to` is aligned to a line and `lines` are whole ones.
__attribute__((target("avx512f"))) void CopyLines512(uint8_t* to, const uint8_t* from, size_t lines) {
  for (size_t i = 0; i < lines; ++i, to += kLineBytes, from += kLineBytes) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
  }
}

__attribute__((target("avx2"))) void CopyLines256(uint8_t* to, const uint8_t* from, size_t lines) {
  for (size_t i = 0; i < lines; ++i, to += kLineBytes, from += kLineBytes) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32));
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), low);
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + 32), high);
  }
}

void CopyLines128(uint8_t* to, const uint8_t* from, size_t lines) {
  for (size_t i = 0; i < lines * 4; ++i, to += 16, from += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
}

using CopyLines = void (*)(uint8_t*, const uint8_t*, size_t);

CopyLines Widest() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return CopyLines512;
  if (__builtin_cpu_supports("avx2")) return CopyLines256;
  return CopyLines128;
}

}  // namespace

void StreamingCopy(uint8_t* to, const uint8_t* from, size_t bytes) {
  if (bytes < kLeastBytes) {
    std::memcpy(to, from, bytes);
    return;
  }
  static const CopyLines copy_lines = Widest();
  const size_t head = (kLineBytes - reinterpret_cast<uintptr_t>(to) % kLineBytes) % kLineBytes;
  std::memcpy(to, from, head);
  const size_t lines = (bytes - head) / kLineBytes;
  copy_lines(to + head, from + head, lines);
  const size_t done = head + lines * kLineBytes;
  std::memcpy(to + done, from + done, bytes - done);
  _mm_sfence();  // Streamed stores are not ordered by themselves with those that say that the bytes are there.
}

}  // namespace incipit
