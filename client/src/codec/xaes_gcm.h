// XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM with a nonce of 24 bytes, long enough to be drawn at random for
// ever. The first half of the nonce (the prefix) gives the key that AES-256-GCM runs under with the second half.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "cache/base/bytes.h"

struct evp_cipher_ctx_st;

namespace incipit {

// One thread at a time. Keeps the keys of the last prefix in each direction, so that messages which share one cost no
// more than AES-256-GCM; another prefix costs about half a microsecond. Wipes its secrets at the end.
class XaesGcm {
 public:
  static constexpr size_t kKeyBytes = 32;
  static constexpr size_t kNonceBytes = 24;
  static constexpr size_t kPrefixBytes = 12;
  static constexpr size_t kTagBytes = 16;
  using Nonce = std::span<const uint8_t, kNonceBytes>;

  explicit XaesGcm(std::span<const uint8_t, kKeyBytes> key);
  ~XaesGcm();
  XaesGcm(const XaesGcm&) = delete;
  XaesGcm& operator=(const XaesGcm&) = delete;

  // Encrypts `plain` into `cipher`, which has its length, and writes the tag. False: libcrypto failed; what was written
  // is not to be used. REQUIRES: a nonce that no other message has.
  [[nodiscard]] bool Seal(Nonce nonce, ByteView data, std::span<const iovec> plain, uint8_t* cipher,
                          std::span<uint8_t, kTagBytes> tag);
  // Decrypts `cipher` into `plain`, which has its length. False: nonce, additional data, cipher text and tag are not
  // what one Seal() took and gave; `plain` is all zeros then.
  [[nodiscard]] bool Open(Nonce nonce, ByteView data, const uint8_t* cipher, std::span<const iovec> plain,
                          std::span<const uint8_t, kTagBytes> tag);

 private:
  struct FreeContext {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  // AES-256-GCM in one direction, with the key of the last prefix.
  struct Direction {
    std::unique_ptr<evp_cipher_ctx_st, FreeContext> gcm;
    std::array<uint8_t, kPrefixBytes> prefix{};
    bool keyed = false;
  };
  bool Start(Direction* direction, Nonce nonce, ByteView data);
  bool DeriveKey(const uint8_t* prefix, std::span<uint8_t, kKeyBytes> key);
  bool OpenInto(Nonce nonce, ByteView data, const uint8_t* cipher, std::span<const iovec> plain,
                std::span<const uint8_t, kTagBytes> tag);

  std::unique_ptr<evp_cipher_ctx_st, FreeContext> block_;  // AES-256 of single blocks under the long-lived key
  std::array<uint8_t, 16> subkey_{};                       // K1
  Direction seal_, open_;
};

}  // namespace incipit
