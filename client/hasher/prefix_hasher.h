// Block keys for engines that have none of their own: a hash chain over token chunks, so that equal keys mean equal
// openings. Each key depends on all tokens before it, the salt, and the LoRA and media ids; docs/prefix_keys.md gives
// the exact bytes and golden vectors.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/format/identity.h"

namespace incipit {

enum class HashAlgorithm : uint8_t {
  kSha256 = 1,     // 32-byte keys; default: clients that do not trust each other
  kXxh3_128 = 2,   // 16-byte keys; only where the operator trusts every client
};

// One image, audio clip and so on; its content id replaces the placeholder tokens' meaning.
struct MediaSpan {
  uint64_t first_token = 0;
  uint64_t token_count = 0;
  std::string content_id;
};

struct PrefixHasherOptions {
  HashAlgorithm algorithm = HashAlgorithm::kSha256;
  uint32_t chunk_tokens = 64;
  std::string salt;     // cache salt of the tenant or request; empty = none
  std::string lora_id;  // adapter; empty = none
};

// Not thread safe. Append() costs one hash of 4 bytes a token plus about 50 bytes a chunk; no allocation per chunk
// beyond the growth of keys().
class PrefixHasher {
 public:
  // InvalidArgument: chunk_tokens of 0 or over 65536, salt or lora_id over 65535 bytes.
  static absl::StatusOr<PrefixHasher> Create(PrefixHasherOptions options);

  // Media whose placeholder tokens are appended later. Spans must ascend, must not overlap, and must be announced
  // before the tokens they cover. InvalidArgument otherwise.
  absl::Status AddMedia(MediaSpan span);

  // Appends tokens; keys of chunks completed by them are added to keys(). Nothing is hashed twice.
  void Append(std::span<const uint32_t> tokens);

  // One key per complete chunk so far, in chain order.
  const std::vector<BlockKey>& keys() const { return keys_; }
  uint64_t tokens() const { return tokens_; }

  PrefixHasher(PrefixHasher&&) noexcept;
  PrefixHasher& operator=(PrefixHasher&&) noexcept;
  ~PrefixHasher();

 private:
  struct State;
  explicit PrefixHasher(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
  std::vector<BlockKey> keys_;
  uint64_t tokens_ = 0;
};

}  // namespace incipit
