#include "client/hasher/prefix_hasher.h"

#include <algorithm>
#include <bit>
#include <deque>

#include "absl/strings/str_cat.h"
#include "cache/base/byte_writer.h"
#include "client/hasher/digest.h"

namespace incipit {
namespace {

using hasher_internal::DigestBytes;
using hasher_internal::DigestInto;

static_assert(std::endian::native == std::endian::little, "tokens are hashed as they lie");

// First bytes of the three kinds of message, docs/prefix_keys.md. Change a message => new tags, new golden files.
constexpr std::string_view kRootTag = "incroot1", kChunkTag = "incchnk1", kMediaTag = "incmedi1";
constexpr size_t kTagBytes = 8;
constexpr uint32_t kMaxChunkTokens = 65536;
constexpr size_t kMaxTextBytes = 65535;

void WriteLongText(std::string_view text, ByteWriter* writer) {
  writer->Write(static_cast<uint32_t>(text.size()));
  writer->WriteBytes(AsBytes(text));
}

absl::Status TooLong(absl::string_view field, size_t found) {
  return absl::InvalidArgumentError(
      absl::StrCat("PrefixHasher: ", field, " has ", found, " bytes; allowed: at most ", kMaxTextBytes));
}

}  // namespace

struct PrefixHasher::State {
  explicit State(PrefixHasherOptions options);

  void Reset();
  ByteView HashChunk(const uint32_t* tokens);
  void WriteMedia(uint64_t chunk_end);

  uint8_t* parent() { return message.data() + kTagBytes; }

  const HashAlgorithm algorithm;
  const uint32_t chunk_tokens;
  const size_t digest_bytes;
  const size_t body_at;  // in `message`: the tokens, or their digest under XXH3
  const size_t body_bytes;
  std::array<uint8_t, hasher_internal::kMaxDigestBytes> root_digest{};
  std::vector<uint8_t> message;   // tag, parent digest, body; spans follow while a chunk with media is hashed
  std::vector<uint32_t> pending;  // tokens of the chunk begun, fewer than chunk_tokens
  std::deque<MediaSpan> media;    // announced, not yet passed
  uint64_t media_end = 0;         // end of the last span announced
  uint64_t chunk_start = 0;
};

PrefixHasher::State::State(PrefixHasherOptions options)
    : algorithm(options.algorithm),
      chunk_tokens(options.chunk_tokens),
      digest_bytes(DigestBytes(options.algorithm)),
      body_at(kTagBytes + digest_bytes),
      body_bytes(algorithm == HashAlgorithm::kSha256 ? chunk_tokens * sizeof(uint32_t) : digest_bytes) {
  std::vector<uint8_t> root;
  ByteWriter writer(&root);
  writer.WriteBytes(AsBytes(kRootTag));
  writer.Write(static_cast<uint8_t>(algorithm));
  writer.Write(chunk_tokens);
  WriteLongText(options.salt, &writer);
  WriteLongText(options.lora_id, &writer);
  message.resize(body_at + body_bytes);
  std::copy(kChunkTag.begin(), kChunkTag.end(), message.begin());
  DigestInto(algorithm, root, root_digest.data());
  pending.reserve(chunk_tokens);
  Reset();
}

void PrefixHasher::State::Reset() {
  std::copy_n(root_digest.begin(), digest_bytes, parent());
  pending.clear();
  media.clear();
  media_end = 0;
  chunk_start = 0;
}

// Appends the spans that overlap the chunk to the message and drops those that end in it.
void PrefixHasher::State::WriteMedia(uint64_t chunk_end) {
  ByteWriter writer(&message);
  const size_t count_at = writer.size();
  writer.Write(uint32_t{0});
  uint32_t count = 0;
  for (const MediaSpan& span : media) {
    if (span.first_token >= chunk_end) break;
    const uint64_t first = std::max(span.first_token, chunk_start);
    const uint64_t end = std::min(span.first_token + span.token_count, chunk_end);
    writer.Write(static_cast<uint32_t>(first - chunk_start));
    writer.Write(static_cast<uint32_t>(end - first));
    writer.Write(first - span.first_token);
    writer.Write(span.token_count);
    WriteLongText(span.content_id, &writer);
    ++count;
  }
  writer.Patch(count_at, count);
  while (!media.empty() && media.front().first_token + media.front().token_count <= chunk_end) media.pop_front();
}

// Hashes one whole chunk. The digest replaces the parent in the message; gives a view of it there.
ByteView PrefixHasher::State::HashChunk(const uint32_t* tokens) {
  const ByteView token_bytes = {reinterpret_cast<const uint8_t*>(tokens), chunk_tokens * sizeof(uint32_t)};
  if (algorithm == HashAlgorithm::kSha256) {
    std::memcpy(message.data() + body_at, token_bytes.data(), body_bytes);
  } else {
    // XXH3 is so fast that waiting for the parent's digest would double its time. The tokens' own digest needs no
    // parent, so the processor computes it while the digest before is being finished, and without copying tokens.
    hasher_internal::Xxh3Into(token_bytes, message.data() + body_at);
  }
  const uint64_t chunk_end = chunk_start + chunk_tokens;
  if (media.empty() || media.front().first_token >= chunk_end) [[likely]] {
    DigestInto(algorithm, message, parent());
  } else {
    std::copy(kMediaTag.begin(), kMediaTag.end(), message.begin());
    WriteMedia(chunk_end);
    DigestInto(algorithm, message, parent());
    message.resize(body_at + body_bytes);
    std::copy(kChunkTag.begin(), kChunkTag.end(), message.begin());
  }
  chunk_start = chunk_end;
  return {parent(), digest_bytes};
}

PrefixHasher::PrefixHasher(std::unique_ptr<State> state) : state_(std::move(state)) {}
PrefixHasher::PrefixHasher(PrefixHasher&&) noexcept = default;
PrefixHasher& PrefixHasher::operator=(PrefixHasher&&) noexcept = default;
PrefixHasher::~PrefixHasher() = default;

absl::StatusOr<PrefixHasher> PrefixHasher::Create(PrefixHasherOptions options) {
  if (options.algorithm != HashAlgorithm::kSha256 && options.algorithm != HashAlgorithm::kXxh3_128) {
    return absl::InvalidArgumentError(absl::StrCat("PrefixHasher: algorithm is ", static_cast<int>(options.algorithm),
                                                   "; allowed: 1 (SHA-256), 2 (XXH3-128)"));
  }
  if (options.chunk_tokens == 0 || options.chunk_tokens > kMaxChunkTokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("PrefixHasher: chunk_tokens is ", options.chunk_tokens, "; allowed: 1 to ", kMaxChunkTokens));
  }
  if (options.salt.size() > kMaxTextBytes) return TooLong("salt", options.salt.size());
  if (options.lora_id.size() > kMaxTextBytes) return TooLong("lora_id", options.lora_id.size());
  return PrefixHasher(std::make_unique<State>(std::move(options)));
}

absl::Status PrefixHasher::AddMedia(MediaSpan span) {
  if (span.content_id.empty()) return absl::InvalidArgumentError("PrefixHasher: a media content_id is empty");
  if (span.content_id.size() > kMaxTextBytes) return TooLong("a media content_id", span.content_id.size());
  if (span.token_count == 0 || span.token_count > UINT64_MAX - span.first_token) {
    return absl::InvalidArgumentError(absl::StrCat("PrefixHasher: media at token ", span.first_token, " covers ",
                                                   span.token_count,
                                                   " tokens; expected at least 1, ending below 2^64"));
  }
  const uint64_t earliest = std::max(tokens_, state_->media_end);
  if (span.first_token < earliest) {
    return absl::InvalidArgumentError(absl::StrCat("PrefixHasher: media starts at token ", span.first_token,
                                                   ", expected at least ", earliest,
                                                   ": announce media in order and before their tokens"));
  }
  state_->media_end = span.first_token + span.token_count;
  state_->media.push_back(std::move(span));
  return absl::OkStatus();
}

void PrefixHasher::Reset() {
  state_->Reset();
  keys_.clear();
  tokens_ = 0;
}

void PrefixHasher::Append(std::span<const uint32_t> tokens) {
  std::vector<uint32_t>& pending = state_->pending;
  const size_t chunk_tokens = state_->chunk_tokens;
  tokens_ += tokens.size();
  const size_t needed = keys_.size() + (pending.size() + tokens.size()) / chunk_tokens;
  if (needed > keys_.capacity()) keys_.reserve(std::max(needed, 2 * keys_.capacity()));

  if (!pending.empty()) {
    const size_t take = std::min(tokens.size(), chunk_tokens - pending.size());
    pending.insert(pending.end(), tokens.begin(), tokens.begin() + take);
    tokens = tokens.subspan(take);
    if (pending.size() < chunk_tokens) return;
    keys_.emplace_back(state_->HashChunk(pending.data()));
    pending.clear();
  }
  while (tokens.size() >= chunk_tokens) {
    keys_.emplace_back(state_->HashChunk(tokens.data()));
    tokens = tokens.subspan(chunk_tokens);
  }
  pending.assign(tokens.begin(), tokens.end());
}

}  // namespace incipit
