#include "client/src/codec/xaes_gcm.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstring>

#include "cache/base/check.h"

namespace incipit {
namespace {

constexpr int kEncrypt = 1, kDecrypt = 0;
constexpr size_t kBlockBytes = 16;
using TwoBlocks = std::array<uint8_t, 2 * kBlockBytes>;

EVP_CIPHER_CTX* NewContext(const EVP_CIPHER* cipher, const uint8_t* key, int encrypt) {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  INCIPIT_CHECK(context != nullptr && EVP_CipherInit_ex(context, cipher, nullptr, key, nullptr, encrypt) == 1,
                "libcrypto has no AES-256");
  return context;
}

// Doubles in GF(2^128), as CMAC makes its first subkey.
void Double(std::array<uint8_t, kBlockBytes>* block) {
  const bool carry = ((*block)[0] & 0x80) != 0;
  for (size_t i = 0; i + 1 < kBlockBytes; ++i) {
    (*block)[i] = static_cast<uint8_t>((*block)[i] << 1 | (*block)[i + 1] >> 7);
  }
  (*block)[kBlockBytes - 1] = static_cast<uint8_t>((*block)[kBlockBytes - 1] << 1 ^ (carry ? 0x87 : 0));
}

bool EncryptBlocks(EVP_CIPHER_CTX* context, const uint8_t* in, int bytes, uint8_t* out) {
  int written = 0;
  return EVP_EncryptUpdate(context, out, &written, in, bytes) == 1 && written == bytes;
}

}  // namespace

void XaesGcm::FreeContext::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

XaesGcm::XaesGcm(std::span<const uint8_t, kKeyBytes> key) {
  block_.reset(NewContext(EVP_aes_256_ecb(), key.data(), kEncrypt));
  EVP_CIPHER_CTX_set_padding(block_.get(), 0);
  seal_.gcm.reset(NewContext(EVP_aes_256_gcm(), nullptr, kEncrypt));
  open_.gcm.reset(NewContext(EVP_aes_256_gcm(), nullptr, kDecrypt));
  const std::array<uint8_t, kBlockBytes> zeros{};
  INCIPIT_CHECK(EncryptBlocks(block_.get(), zeros.data(), kBlockBytes, subkey_.data()), "AES-256 of one block");
  Double(&subkey_);
}

XaesGcm::~XaesGcm() { OPENSSL_cleanse(subkey_.data(), subkey_.size()); }  // The contexts wipe themselves.

bool XaesGcm::DeriveKey(const uint8_t* prefix, std::span<uint8_t, kKeyBytes> key) {
  TwoBlocks message{};
  for (uint8_t half = 0; half < 2; ++half) {
    uint8_t* block = message.data() + half * kBlockBytes;
    block[1] = static_cast<uint8_t>(half + 1);
    block[2] = 'X';
    std::memcpy(block + 4, prefix, kPrefixBytes);
    for (size_t i = 0; i < kBlockBytes; ++i) block[i] ^= subkey_[i];
  }
  const bool encrypted = EncryptBlocks(block_.get(), message.data(), message.size(), key.data());
  OPENSSL_cleanse(message.data(), message.size());
  return encrypted;
}

bool XaesGcm::Start(Direction* direction, Nonce nonce, ByteView data) {
  const uint8_t* suffix = nonce.data() + kPrefixBytes;
  EVP_CIPHER_CTX* gcm = direction->gcm.get();
  if (direction->keyed && std::memcmp(direction->prefix.data(), nonce.data(), kPrefixBytes) == 0) {
    if (EVP_CipherInit_ex(gcm, nullptr, nullptr, nullptr, suffix, -1) != 1) return false;
  } else {
    std::array<uint8_t, kKeyBytes> key;
    direction->keyed =
        DeriveKey(nonce.data(), key) && EVP_CipherInit_ex(gcm, nullptr, nullptr, key.data(), suffix, -1) == 1;
    OPENSSL_cleanse(key.data(), key.size());
    if (!direction->keyed) return false;
    std::memcpy(direction->prefix.data(), nonce.data(), kPrefixBytes);
  }
  int written = 0;
  return data.empty() || EVP_CipherUpdate(gcm, nullptr, &written, data.data(), static_cast<int>(data.size())) == 1;
}

bool XaesGcm::Seal(Nonce nonce, ByteView data, std::span<const iovec> plain, uint8_t* cipher,
                   std::span<uint8_t, kTagBytes> tag) {
  if (!Start(&seal_, nonce, data)) return false;
  EVP_CIPHER_CTX* gcm = seal_.gcm.get();
  int written = 0;
  for (const iovec& piece : plain) {
    const auto* from = static_cast<const uint8_t*>(piece.iov_base);
    if (piece.iov_len == 0) continue;
    if (EVP_EncryptUpdate(gcm, cipher, &written, from, static_cast<int>(piece.iov_len)) != 1) return false;
    cipher += piece.iov_len;
  }
  return EVP_EncryptFinal_ex(gcm, cipher, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag.data()) == 1;
}

bool XaesGcm::OpenInto(Nonce nonce, ByteView data, const uint8_t* cipher, std::span<const iovec> plain,
                       std::span<const uint8_t, kTagBytes> tag) {
  if (!Start(&open_, nonce, data)) return false;
  EVP_CIPHER_CTX* gcm = open_.gcm.get();
  int written = 0;
  for (const iovec& piece : plain) {
    auto* into = static_cast<uint8_t*>(piece.iov_base);
    if (piece.iov_len == 0) continue;
    if (EVP_DecryptUpdate(gcm, into, &written, cipher, static_cast<int>(piece.iov_len)) != 1) return false;
    cipher += piece.iov_len;
  }
  std::array<uint8_t, kTagBytes> expected, none;
  std::memcpy(expected.data(), tag.data(), kTagBytes);
  return EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_SET_TAG, kTagBytes, expected.data()) == 1 &&
         EVP_DecryptFinal_ex(gcm, none.data(), &written) == 1;
}

bool XaesGcm::Open(Nonce nonce, ByteView data, const uint8_t* cipher, std::span<const iovec> plain,
                   std::span<const uint8_t, kTagBytes> tag) {
  if (OpenInto(nonce, data, cipher, plain, tag)) return true;
  for (const iovec& piece : plain) {
    if (piece.iov_len > 0) std::memset(piece.iov_base, 0, piece.iov_len);
  }
  return false;
}

}  // namespace incipit
