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
  kSha256 = 1,    // 32-byte keys; default: clients that do not trust each other
  kXxh3_128 = 2,  // 16-byte keys; only where the operator trusts every client
};

// One image, audio clip and so on; its content id replaces the placeholder tokens' meaning.
struct MediaSpan {
  uint64_t first_token = 0;  // position in the prompt
  uint64_t token_count = 0;  // at least 1
  std::string content_id;    // 1 to 65535 bytes
};

struct PrefixHasherOptions {
  HashAlgorithm algorithm = HashAlgorithm::kSha256;
  uint32_t chunk_tokens = 64;
  std::string salt;     // cache salt of the tenant or request; empty = none
  std::string lora_id;  // adapter; empty = none
};

// One chain over one prompt; owned by whoever needs the keys. Not thread safe. Append() costs one hash over 4 bytes a
// token plus 40 bytes a chunk; no allocation beyond the growth of keys(), which grows by doubling.
//
//   ASSIGN_OR_RETURN(PrefixHasher hasher, PrefixHasher::Create({.chunk_tokens = 64, .salt = "tenant-7"}));
//   hasher.Append(prompt);      // keys().size() == prompt.size() / 64
//   hasher.Append(next_token);  // one more key when the chunk is full
class PrefixHasher {
 public:
  // InvalidArgument: unknown algorithm, chunk_tokens of 0 or over 65536, salt or lora_id over 65535 bytes.
  static absl::StatusOr<PrefixHasher> Create(PrefixHasherOptions options);

  // Media whose placeholder tokens are appended later. Spans must ascend, must not overlap, and must be announced
  // before the tokens they cover. InvalidArgument otherwise, and nothing is changed.
  absl::Status AddMedia(MediaSpan span);

  // Forgets tokens, keys and media and starts a new prompt with the same options. Keeps memory: the first use of fresh
  // memory for a million tokens' keys costs as much as hashing them with XXH3, so reuse hashers.
  void Reset();

  // Appends tokens; keys of chunks completed by them are added to keys(). Nothing is hashed twice, and the keys are
  // the same however the tokens are cut into calls.
  void Append(std::span<const uint32_t> tokens);

  // One key per complete chunk so far, in chain order: key i names tokens 0 to (i + 1) * chunk_tokens.
  const std::vector<BlockKey>& keys() const { return keys_; }
  // Tokens appended so far, those of an incomplete chunk included.
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
