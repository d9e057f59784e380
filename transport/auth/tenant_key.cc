#include "transport/auth/tenant_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cache/base/check.h"

namespace incipit {
namespace {

constexpr std::string_view kKeyTag = "incipit tenant key 1";

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void Wipe(void* memory, size_t bytes) { OPENSSL_cleanse(memory, bytes); }

TenantKey::TenantKey(ByteView secret) : key_(HmacSha256(AsBytes(kKeyTag), secret)) {}

Mac TenantKey::MacOf(ByteView message) const { return HmacSha256(key_, message); }

Mac HmacSha256(ByteView key, ByteView message) {
  Mac mac;
  unsigned int bytes = 0;
  const unsigned char* made =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(), mac.data(), &bytes);
  INCIPIT_CHECK(made != nullptr && bytes == mac.size(), "HMAC-SHA256 failed");
  return mac;
}

bool SameMac(const Mac& a, const Mac& b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

absl::StatusOr<std::vector<uint8_t>> DecodeSecret(std::string_view text) {
  while (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  while (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  const auto refuse = [](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(what, "; expected ", 2 * kMinSecretBytes, " to ",
                                                   2 * kMaxSecretBytes,
                                                   " hexadecimal digits, as `incipit tenant new` "
                                                   "makes them"));
  };
  if (text.size() % 2 != 0 || text.size() < 2 * kMinSecretBytes || text.size() > 2 * kMaxSecretBytes) {
    return refuse(absl::StrCat("a secret of ", text.size(), " characters"));
  }
  std::vector<uint8_t> secret(text.size() / 2);
  for (size_t i = 0; i < secret.size(); ++i) {
    const int high = DigitOf(text[2 * i]);
    const int low = DigitOf(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      Wipe(secret.data(), secret.size());
      return refuse(absl::StrCat("character ", high < 0 ? 2 * i : 2 * i + 1, " is no hexadecimal digit"));
    }
    secret[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return secret;
}

}  // namespace incipit
