#include "bench/common/payload.h"

#include <array>
#include <cstring>

#include "cache/base/check.h"
#include "cache/base/xxh3.h"

namespace incipit::bench {
namespace {

constexpr size_t kWordBytes = sizeof(uint64_t);
constexpr size_t kBatchWords = 64;  // a constant count of words is what the compiler makes vector code of
constexpr size_t kBatchBytes = kBatchWords * kWordBytes;
constexpr uint64_t kStride = 0x9e3779b97f4a7c15;  // odd: no two words of a block are the same
using Batch = std::array<uint64_t, kBatchWords>;

inline void MakeBatch(uint64_t seed, uint64_t first_word, Batch* batch) {
  const uint64_t start = seed + first_word * kStride;
  for (size_t i = 0; i < kBatchWords; ++i) {
    const uint64_t x = start + i * kStride;
    (*batch)[i] = x ^ (x >> 29);
  }
}

uint64_t CountDifferences(const uint8_t* a, const uint8_t* b, size_t bytes) {
  uint64_t wrong = 0;
  for (size_t i = 0; i < bytes; ++i) wrong += a[i] != b[i] ? 1 : 0;
  return wrong;
}

}  // namespace

uint64_t PayloadSeed(const LayoutFingerprint& fingerprint, GroupIndex group, ByteView key) {
  std::array<uint8_t, sizeof(LayoutFingerprint) + sizeof(GroupIndex) + kMaxKeyBytes> bytes;
  INCIPIT_CHECK(key.size() <= kMaxKeyBytes, "a key has at most 64 bytes");
  std::memcpy(bytes.data(), fingerprint.data(), fingerprint.size());
  std::memcpy(bytes.data() + fingerprint.size(), &group, sizeof(group));
  std::memcpy(bytes.data() + fingerprint.size() + sizeof(group), key.data(), key.size());
  return Xxh3Of({bytes.data(), fingerprint.size() + sizeof(group) + key.size()});
}

void FillPayload(uint64_t seed, uint64_t offset, MutableBytes out) {
  INCIPIT_CHECK(offset % kWordBytes == 0, "payload is made in words of 8 bytes");
  uint64_t word = offset / kWordBytes;
  Batch batch;
  for (size_t done = 0; done < out.size(); done += kBatchBytes, word += kBatchWords) {
    MakeBatch(seed, word, &batch);
    std::memcpy(out.data() + done, batch.data(), std::min(kBatchBytes, out.size() - done));
  }
}

uint64_t CountWrongBytes(uint64_t seed, uint64_t offset, ByteView bytes) {
  INCIPIT_CHECK(offset % kWordBytes == 0, "payload is made in words of 8 bytes");
  uint64_t word = offset / kWordBytes, wrong = 0;
  Batch batch;
  for (size_t done = 0; done < bytes.size(); done += kBatchBytes, word += kBatchWords) {
    MakeBatch(seed, word, &batch);
    const auto* expected = reinterpret_cast<const uint8_t*>(batch.data());
    const size_t take = std::min(kBatchBytes, bytes.size() - done);
    if (std::memcmp(bytes.data() + done, expected, take) != 0) {
      wrong += CountDifferences(bytes.data() + done, expected, take);
    }
  }
  return wrong;
}

}  // namespace incipit::bench
