// The secret under which a client seals blocks: it encrypts what it stores and accepts nothing else. The node never
// gets it. docs/security.md says what that protects.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit {

// 32 secret bytes, wiped from memory at the end. Immutable: any thread. All clients that share blocks need the same
// one; clients with different keys, or with none, do not see each other's blocks. No error and no log holds any of its
// bytes.
class SealingKey {
 public:
  static constexpr size_t kBytes = 32;

  // InvalidArgument: not kBytes long, or all bytes alike (a file of zeros is no secret).
  static absl::StatusOr<std::shared_ptr<const SealingKey>> FromBytes(ByteView bytes);
  // A file of 32 bytes, or of 64 hexadecimal digits and perhaps a line end. NotFound, PermissionDenied: it cannot be
  // read, or others than its owner can. InvalidArgument: it holds no key.
  static absl::StatusOr<std::shared_ptr<const SealingKey>> FromFile(const std::string& path);
  // Writes a new random key as hexadecimal digits, readable by its owner only. AlreadyExists: nothing is overwritten.
  static absl::Status WriteNewFile(const std::string& path);

  ~SealingKey();
  SealingKey(const SealingKey&) = delete;
  SealingKey& operator=(const SealingKey&) = delete;

  std::span<const uint8_t, kBytes> bytes() const { return bytes_; }
  // 16 hexadecimal digits that name the key and tell nothing about it.
  std::string Id() const;

 private:
  SealingKey() = default;
  std::array<uint8_t, kBytes> bytes_{};
};

}  // namespace incipit
