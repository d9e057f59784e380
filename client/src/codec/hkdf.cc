#include "client/src/codec/hkdf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstring>
#include <vector>

#include "cache/base/check.h"

namespace incipit {
namespace {

using Digest = std::array<uint8_t, 32>;

void HmacSha256(ByteView key, ByteView message, Digest* out) {
  unsigned int bytes = 0;
  const uint8_t* made =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(), out->data(), &bytes);
  INCIPIT_CHECK(made != nullptr && bytes == out->size(), "libcrypto has no HMAC-SHA256");
}

}  // namespace

void HkdfSha256(ByteView secret, std::string_view label, ByteView context, MutableBytes out) {
  static_assert(sizeof(Digest) == kMaxHkdfBytes);  // so that one step of expansion is enough
  INCIPIT_CHECK(out.size() <= kMaxHkdfBytes, "more bytes than one step of HKDF gives");
  const Digest no_salt{};
  Digest extracted, expanded;
  HmacSha256(no_salt, secret, &extracted);
  std::vector<uint8_t> info(label.begin(), label.end());
  info.insert(info.end(), context.begin(), context.end());
  info.push_back(1);
  HmacSha256(extracted, info, &expanded);
  std::memcpy(out.data(), expanded.data(), out.size());
  OPENSSL_cleanse(extracted.data(), extracted.size());
  OPENSSL_cleanse(expanded.data(), expanded.size());
}

}  // namespace incipit
