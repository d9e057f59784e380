#include "cache/base/xxh3.h"

#include <vector>

#include <gtest/gtest.h>
#include <xxhash.h>

#include "cache/base/xxh3_kernel.h"
#include "cache/seams/random.h"

namespace incipit {
namespace {

// Lengths on both sides of each of the algorithm's cases.
constexpr size_t kLengths[] = {0, 1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 255, 256, 1024, 1025, 65536, 100001};

std::vector<uint8_t> RandomBytes(size_t count, uint64_t seed = 1) {
  std::vector<uint8_t> bytes(count);
  MakeSeededRandom(seed)->Fill(bytes);
  return bytes;
}

HashSecret SomeSecret(uint64_t seed) {
  HashSecret secret;
  MakeSeededRandom(seed)->Fill(secret);
  return secret;
}

// The system's shared library is an independent build of the same function.
TEST(Xxh3, AgreesWithTheSharedLibraryAtEveryLength) {
  const HashSecret secret = SomeSecret(7);
  for (const size_t length : kLengths) {
    const std::vector<uint8_t> bytes = RandomBytes(length);
    EXPECT_EQ(Xxh3Of(bytes), XXH3_64bits(bytes.data(), length)) << length;
    const XXH128_hash_t plain = XXH3_128bits(bytes.data(), length);
    EXPECT_EQ(Xxh3Of128(bytes), (Hash128{plain.low64, plain.high64})) << length;
    const XXH128_hash_t keyed = XXH3_128bits_withSecret(bytes.data(), length, secret.data(), secret.size());
    EXPECT_EQ(Xxh3Of128(bytes, secret), (Hash128{keyed.low64, keyed.high64})) << length;
  }
}

TEST(Xxh3, EveryKernelThatRunsHereGivesTheSame) {
  std::vector<const xxh3_internal::Kernel*> kernels = {&xxh3_internal::kPortableKernel};
  if (__builtin_cpu_supports("avx2")) kernels.push_back(&xxh3_internal::kAvx2Kernel);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
    kernels.push_back(&xxh3_internal::kAvx512Kernel);
  }
  for (const size_t length : kLengths) {
    const std::vector<uint8_t> bytes = RandomBytes(length, 3);
    for (const xxh3_internal::Kernel* kernel : kernels) {
      EXPECT_EQ(kernel->hash64(bytes.data(), length), Xxh3Of(bytes)) << kernel->name << ' ' << length;
      uint64_t out[2];
      kernel->hash128(bytes.data(), length, out);
      EXPECT_EQ((Hash128{out[0], out[1]}), Xxh3Of128(bytes)) << kernel->name << ' ' << length;
    }
  }
}

TEST(Xxh3, SecretChangesTheHash) {
  const std::vector<uint8_t> bytes = RandomBytes(100);
  EXPECT_FALSE(Xxh3Of128(bytes, SomeSecret(1)) == Xxh3Of128(bytes, SomeSecret(2)));
}

TEST(Xxh3, StreamInAnyPiecesEqualsTheWhole) {
  const std::vector<uint8_t> bytes = RandomBytes(10000);
  for (const size_t piece : {1u, 7u, 64u, 255u, 4096u, 10000u}) {
    Xxh3Stream stream;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      stream.Update(ByteView(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    }
    EXPECT_EQ(stream.Digest(), Xxh3Of(bytes)) << piece;
  }
}

TEST(Xxh3, ResetStreamForgetsWhatItSaw) {
  Xxh3Stream stream;
  stream.Update(RandomBytes(1000));
  stream.Reset();
  EXPECT_EQ(stream.Digest(), Xxh3Of({}));
}

TEST(Xxh3, PiecesEqualTheirConcatenationForEveryRange) {
  std::vector<uint8_t> bytes = RandomBytes(60);
  const std::vector<iovec> pieces = {{bytes.data(), 10},
                                     {bytes.data() + 10, 0},
                                     {bytes.data() + 10, 1},
                                     {bytes.data() + 11, 29},
                                     {bytes.data() + 40, 20}};
  for (size_t offset = 0; offset <= bytes.size(); ++offset) {
    for (size_t length = 0; length <= bytes.size() - offset; ++length) {
      ASSERT_EQ(Xxh3OfPieces(pieces, offset, length), Xxh3Of(ByteView(bytes).subspan(offset, length)))
          << offset << ' ' << length;
    }
  }
}

}  // namespace
}  // namespace incipit
