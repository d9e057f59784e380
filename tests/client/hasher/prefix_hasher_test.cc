#include "client/hasher/prefix_hasher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <random>
#include <set>

#include "cache/base/xxh3.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<uint8_t>;

std::vector<uint32_t> Tokens(size_t count, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<uint32_t> tokens(count);
  for (uint32_t& token : tokens) token = random() % 150'000;
  return tokens;
}

// The rules of docs/prefix_keys.md written down once more, slowly: whole prompt at once, no state.
class Reference {
 public:
  explicit Reference(PrefixHasherOptions options, std::vector<MediaSpan> media = {})
      : options_(std::move(options)), media_(std::move(media)) {}

  std::vector<BlockKey> Keys(const std::vector<uint32_t>& tokens) const {
    Bytes root;
    Text(&root, "incroot1");
    root.push_back(static_cast<uint8_t>(options_.algorithm));
    Number(&root, options_.chunk_tokens, 4);
    LongText(&root, options_.salt);
    LongText(&root, options_.lora_id);
    Bytes parent = Hash(root);
    std::vector<BlockKey> keys;
    const size_t c = options_.chunk_tokens;
    for (size_t start = 0; start + c <= tokens.size(); start += c) {
      Bytes ids;
      for (size_t i = start; i < start + c; ++i) Number(&ids, tokens[i], 4);
      const Bytes media = Media(start, start + c);
      Bytes message;
      Text(&message, media.empty() ? "incchnk1" : "incmedi1");
      message.insert(message.end(), parent.begin(), parent.end());
      const Bytes body = options_.algorithm == HashAlgorithm::kSha256 ? ids : Hash(ids);
      message.insert(message.end(), body.begin(), body.end());
      message.insert(message.end(), media.begin(), media.end());
      parent = Hash(message);
      keys.emplace_back(parent);
    }
    return keys;
  }

 private:
  static void Text(Bytes* out, std::string_view text) { out->insert(out->end(), text.begin(), text.end()); }
  static void Number(Bytes* out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out->push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  static void LongText(Bytes* out, const std::string& text) {
    Number(out, text.size(), 4);
    Text(out, text);
  }
  Bytes Media(uint64_t start, uint64_t end) const {
    Bytes spans;
    uint32_t count = 0;
    for (const MediaSpan& span : media_) {
      const uint64_t first = std::max(start, span.first_token),
                     last = std::min(end, span.first_token + span.token_count);
      if (first >= last) continue;
      ++count;
      Number(&spans, first - start, 4);
      Number(&spans, last - first, 4);
      Number(&spans, first - span.first_token, 8);
      Number(&spans, span.token_count, 8);
      LongText(&spans, span.content_id);
    }
    if (count == 0) return {};
    Bytes out;
    Number(&out, count, 4);
    out.insert(out.end(), spans.begin(), spans.end());
    return out;
  }
  Bytes Hash(const Bytes& message) const {
    Bytes digest;
    if (options_.algorithm == HashAlgorithm::kSha256) {
      digest.resize(32);
      EXPECT_EQ(EVP_Digest(message.data(), message.size(), digest.data(), nullptr, EVP_sha256(), nullptr), 1);
    } else {
      const Hash128 hash = Xxh3Of128(message);
      Number(&digest, hash.low, 8);
      Number(&digest, hash.high, 8);
    }
    return digest;
  }

  PrefixHasherOptions options_;
  std::vector<MediaSpan> media_;
};

PrefixHasher Make(PrefixHasherOptions options) {
  auto hasher = PrefixHasher::Create(std::move(options));
  EXPECT_TRUE(hasher.ok()) << hasher.status();
  return *std::move(hasher);
}

std::vector<BlockKey> KeysOf(PrefixHasherOptions options, const std::vector<uint32_t>& tokens,
                             const std::vector<MediaSpan>& media = {}) {
  PrefixHasher hasher = Make(std::move(options));
  for (const MediaSpan& span : media) EXPECT_TRUE(hasher.AddMedia(span).ok());
  hasher.Append(tokens);
  return hasher.keys();
}

// Three spans in chunks of 64: inside chunk 0, across chunks 0 to 2, and ending with chunk 3.
std::vector<MediaSpan> SomeMedia() {
  return {{3, 10, "image-a"}, {60, 100, "image-b"}, {250, 6, std::string(300, 'c')}};
}

class PrefixHasherTest : public ::testing::TestWithParam<HashAlgorithm> {
 protected:
  PrefixHasherOptions Options() const { return {.algorithm = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(Algorithms, PrefixHasherTest,
                         ::testing::Values(HashAlgorithm::kSha256, HashAlgorithm::kXxh3_128),
                         [](const auto& param) { return param.param == HashAlgorithm::kSha256 ? "Sha256" : "Xxh3"; });

TEST_P(PrefixHasherTest, KeysFollowTheSpecification) {
  const auto tokens = Tokens(64 * 5 + 17);
  EXPECT_EQ(KeysOf(Options(), tokens), Reference(Options()).Keys(tokens));
  PrefixHasherOptions rich = Options();
  rich.salt = std::string("salt\0with zero", 14);
  rich.lora_id = "adapter-3";
  EXPECT_EQ(KeysOf(rich, tokens, SomeMedia()), Reference(rich, SomeMedia()).Keys(tokens));
  for (uint32_t chunk_tokens : {1u, 16u, 100u, 256u}) {
    rich.chunk_tokens = chunk_tokens;
    EXPECT_EQ(KeysOf(rich, tokens, SomeMedia()), Reference(rich, SomeMedia()).Keys(tokens)) << chunk_tokens;
  }
}

TEST_P(PrefixHasherTest, KeysHaveTheLengthOfTheDigest) {
  const size_t expected = GetParam() == HashAlgorithm::kSha256 ? 32 : 16;
  EXPECT_EQ(KeysOf(Options(), Tokens(64)).at(0).size(), expected);
}

TEST_P(PrefixHasherTest, TokensInPiecesGiveTheSameKeys) {
  const auto tokens = Tokens(64 * 7 + 5);
  const auto expected = KeysOf(Options(), tokens, SomeMedia());
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    PrefixHasher hasher = Make(Options());
    for (const MediaSpan& span : SomeMedia()) ASSERT_TRUE(hasher.AddMedia(span).ok());
    for (size_t at = 0; at < tokens.size();) {
      const size_t take = std::min<size_t>(random() % 150, tokens.size() - at);
      hasher.Append(std::span(tokens).subspan(at, take));
      at += take;
      ASSERT_EQ(hasher.tokens(), at);
      ASSERT_EQ(hasher.keys().size(), at / 64) << "seed " << seed;
    }
    ASSERT_EQ(hasher.keys(), expected) << "seed " << seed;
  }
}

TEST_P(PrefixHasherTest, MediaAnnouncedLateGivesTheSameKeys) {
  const auto tokens = Tokens(64 * 6);
  PrefixHasher hasher = Make(Options());
  uint64_t at = 0;
  for (const MediaSpan& span : SomeMedia()) {
    hasher.Append(std::span(tokens).subspan(at, span.first_token - at));  // the middle of a chunk
    at = span.first_token;
    ASSERT_TRUE(hasher.AddMedia(span).ok());
  }
  hasher.Append(std::span(tokens).subspan(at));
  EXPECT_EQ(hasher.keys(), KeysOf(Options(), tokens, SomeMedia()));
}

TEST_P(PrefixHasherTest, OneChangedTokenChangesItsKeyAndAllAfterIt) {
  const auto tokens = Tokens(64 * 6);
  const auto base = KeysOf(Options(), tokens);
  for (size_t at : {0, 63, 64, 200, 383}) {
    auto changed = tokens;
    changed[at] ^= 1;
    const auto keys = KeysOf(Options(), changed);
    for (size_t i = 0; i < base.size(); ++i)
      EXPECT_EQ(keys[i] == base[i], i < at / 64) << "token " << at << " key " << i;
  }
}

TEST_P(PrefixHasherTest, EqualChunksAtDifferentPlacesHaveDifferentKeys) {
  const auto keys = KeysOf(Options(), std::vector<uint32_t>(64 * 50, 7));
  std::set<std::vector<uint8_t>> distinct;
  for (const BlockKey& key : keys) distinct.insert({key.bytes().begin(), key.bytes().end()});
  EXPECT_EQ(distinct.size(), 50u);
}

TEST_P(PrefixHasherTest, SaltLoraAndChunkSizeSeparateKeys) {
  const auto tokens = Tokens(64);
  std::vector<PrefixHasherOptions> variants(6, Options());
  variants[1].salt = "ab";
  variants[2].lora_id = "ab";
  variants[3].salt = "a", variants[3].lora_id = "b";
  variants[4].salt = "b", variants[4].lora_id = "a";
  variants[5].chunk_tokens = 32;
  for (size_t i = 0; i < variants.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_NE(KeysOf(variants[i], tokens).back(), KeysOf(variants[j], tokens).back()) << i << " " << j;
    }
  }
}

TEST_P(PrefixHasherTest, MediaSeparateKeysFromTheFirstChunkTheyTouch) {
  const auto tokens = Tokens(64 * 6);
  const MediaSpan base = {100, 100, "image"};
  const auto plain = KeysOf(Options(), tokens);
  const auto with = KeysOf(Options(), tokens, {base});
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(plain[i] == with[i], i < 1) << i;
  for (const MediaSpan& other :
       {MediaSpan{101, 99, "image"}, MediaSpan{100, 101, "image"}, MediaSpan{100, 100, "imagf"}}) {
    EXPECT_NE(KeysOf(Options(), tokens, {other})[1], with[1]);
  }
  EXPECT_NE(KeysOf(Options(), tokens, {{100, 50, "image"}, {150, 50, "image"}})[1], with[1]);
}

TEST_P(PrefixHasherTest, MediaBehindTheTokensDoesNotMatterYet) {
  const auto tokens = Tokens(128);
  EXPECT_EQ(KeysOf(Options(), tokens, {{128, 5, "later"}}), KeysOf(Options(), tokens));
}

TEST_P(PrefixHasherTest, ResetStartsANewPromptWithTheSameOptions) {
  PrefixHasherOptions options = Options();
  options.salt = "s";
  PrefixHasher hasher = Make(options);
  ASSERT_TRUE(hasher.AddMedia({30, 1000, "image"}).ok());
  hasher.Append(Tokens(200, 9));
  hasher.Reset();
  EXPECT_EQ(hasher.tokens(), 0u);
  EXPECT_TRUE(hasher.keys().empty());
  const auto tokens = Tokens(150);
  hasher.Append(tokens);
  EXPECT_EQ(hasher.keys(), KeysOf(options, tokens));
}

TEST_P(PrefixHasherTest, MovedHasherGoesOn) {
  const auto tokens = Tokens(256);
  PrefixHasher first = Make(Options());
  first.Append(std::span(tokens).first(100));
  PrefixHasher second = std::move(first);
  second.Append(std::span(tokens).subspan(100));
  EXPECT_EQ(second.keys(), KeysOf(Options(), tokens));
}

TEST_P(PrefixHasherTest, MisplacedMediaIsRefusedAndChangesNothing) {
  const auto tokens = Tokens(64 * 4);
  PrefixHasher hasher = Make(Options());
  ASSERT_TRUE(hasher.AddMedia({10, 20, "a"}).ok());
  const auto refuse = [&](MediaSpan span, const std::string& words) {
    const absl::Status status = hasher.AddMedia(std::move(span));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << words;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  };
  refuse({29, 5, "b"}, "starts at token 29, expected at least 30");
  refuse({40, 0, "b"}, "covers 0 tokens");
  refuse({40, UINT64_MAX - 39, "b"}, "ending below 2^64");
  refuse({40, 5, ""}, "content_id is empty");
  refuse({40, 5, std::string(65536, 'b')}, "65536 bytes");
  hasher.Append(std::span(tokens).first(100));
  refuse({99, 5, "b"}, "expected at least 100");
  ASSERT_TRUE(hasher.AddMedia({100, 5, "b"}).ok());
  hasher.Append(std::span(tokens).subspan(100));
  EXPECT_EQ(hasher.keys(), KeysOf(Options(), tokens, {{10, 20, "a"}, {100, 5, "b"}}));
}

TEST(PrefixHasherOptionsTest, OptionsOutOfRangeAreRefused) {
  const auto refuse = [](PrefixHasherOptions options, const std::string& words) {
    const absl::Status status = PrefixHasher::Create(std::move(options)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << words;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  };
  refuse({.chunk_tokens = 0}, "chunk_tokens is 0; allowed: 1 to 65536");
  refuse({.chunk_tokens = 65537}, "chunk_tokens is 65537");
  refuse({.salt = std::string(65536, 's')}, "salt has 65536 bytes");
  refuse({.lora_id = std::string(65536, 'l')}, "lora_id has 65536 bytes");
  refuse({.algorithm = static_cast<HashAlgorithm>(0)}, "algorithm is 0");
  EXPECT_TRUE(PrefixHasher::Create({.chunk_tokens = 65536, .salt = std::string(65535, 's')}).ok());
}

}  // namespace
}  // namespace incipit
