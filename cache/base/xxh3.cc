#include "cache/base/xxh3.h"

#include <cstdlib>

#include "cache/base/xxh3_kernel.h"

namespace incipit {
namespace {

const xxh3_internal::Kernel& Best() {
  static const xxh3_internal::Kernel& best = []() -> const xxh3_internal::Kernel& {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return xxh3_internal::kAvx512Kernel;
    if (__builtin_cpu_supports("avx2")) return xxh3_internal::kAvx2Kernel;
    return xxh3_internal::kPortableKernel;
  }();
  return best;
}

}  // namespace

uint64_t Xxh3Of(ByteView bytes) { return Best().hash64(bytes.data(), bytes.size()); }

Hash128 Xxh3Of128(ByteView bytes) {
  uint64_t out[2];
  Best().hash128(bytes.data(), bytes.size(), out);
  return {out[0], out[1]};
}

Hash128 Xxh3Of128(ByteView bytes, const HashSecret& secret) {
  uint64_t out[2];
  Best().hash128_secret(bytes.data(), bytes.size(), secret.data(), secret.size(), out);
  return {out[0], out[1]};
}

Xxh3Stream::Xxh3Stream() {
  if (Best().state_bytes > kStateBytes) std::abort();  // A newer xxHash with a larger state: enlarge kStateBytes.
  Reset();
}
void* Xxh3Stream::state() const {
  const auto address = reinterpret_cast<uintptr_t>(storage_.data());
  return reinterpret_cast<void*>(AlignUp(address, kStateAlign));
}
void Xxh3Stream::Reset() { Best().reset(state()); }
void Xxh3Stream::Update(ByteView bytes) { Best().update(state(), bytes.data(), bytes.size()); }
uint64_t Xxh3Stream::Digest() const { return Best().digest(state()); }

uint64_t Xxh3OfPieces(std::span<const iovec> pieces, uint64_t offset, uint64_t bytes) {
  size_t index = 0;
  while (index < pieces.size() && offset >= pieces[index].iov_len) offset -= pieces[index++].iov_len;
  if (index < pieces.size() && bytes <= pieces[index].iov_len - offset) {
    return Xxh3Of({static_cast<const uint8_t*>(pieces[index].iov_base) + offset, bytes});
  }
  Xxh3Stream stream;
  for (; bytes > 0 && index < pieces.size(); ++index, offset = 0) {
    const uint64_t take = std::min<uint64_t>(bytes, pieces[index].iov_len - offset);
    stream.Update({static_cast<const uint8_t*>(pieces[index].iov_base) + offset, take});
    bytes -= take;
  }
  return stream.Digest();
}

const char* Xxh3Kernel() { return Best().name; }

}  // namespace incipit
