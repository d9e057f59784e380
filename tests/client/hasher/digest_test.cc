#include "client/hasher/digest.h"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "cache/base/xxh3.h"

namespace incipit::hasher_internal {
namespace {

using Digest = std::array<uint8_t, kMaxDigestBytes>;

Digest Reference(ByteView message) {
  Digest digest{};
  unsigned bytes = 0;
  EXPECT_EQ(EVP_Digest(message.data(), message.size(), digest.data(), &bytes, EVP_sha256(), nullptr), 1);
  EXPECT_EQ(bytes, digest.size());
  return digest;
}

// Lengths around the ends of SHA-256's blocks and of its padding.
TEST(Digest, Sha256AgreesWithTheGenericInterfaceAtEveryLength) {
  const std::vector<uint8_t> bytes(300, 0xa5);
  for (size_t length = 0; length <= bytes.size(); ++length) {
    Digest digest{};
    Sha256Into(ByteView(bytes).first(length), digest.data());
    ASSERT_EQ(digest, Reference(ByteView(bytes).first(length))) << length;
  }
}

TEST(Digest, Xxh3GivesLowThenHighLittleEndian) {
  const ByteView message = AsBytes("incipit");
  const Hash128 expected = Xxh3Of128(message);
  Digest digest{};
  Xxh3Into(message, digest.data());
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(digest[i], static_cast<uint8_t>(expected.low >> (8 * i)));
    EXPECT_EQ(digest[8 + i], static_cast<uint8_t>(expected.high >> (8 * i)));
  }
}

TEST(Digest, OutputMayLieInsideTheMessage) {
  for (const HashAlgorithm algorithm : {HashAlgorithm::kSha256, HashAlgorithm::kXxh3_128}) {
    std::vector<uint8_t> message(100, 1);
    Digest expected{};
    DigestInto(algorithm, message, expected.data());
    DigestInto(algorithm, message, message.data() + 10);
    EXPECT_TRUE(std::equal(expected.begin(), expected.begin() + DigestBytes(algorithm), message.begin() + 10));
    EXPECT_EQ(message[10 + DigestBytes(algorithm)], 1);
  }
}

}  // namespace
}  // namespace incipit::hasher_internal
