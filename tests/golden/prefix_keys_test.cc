// Prefix keys against a file: other keys mean that every stored block is lost to its engine.
#include <gtest/gtest.h>

#include "client/hasher/prefix_hasher.h"
#include "tests/support/golden_file.h"

namespace incipit {
namespace {

struct Case {
  std::string name;
  PrefixHasherOptions options;
  std::vector<MediaSpan> media;
};

std::vector<Case> Cases(HashAlgorithm algorithm) {
  const PrefixHasherOptions plain = {.algorithm = algorithm};
  std::vector<Case> cases = {{"plain", plain, {}}};
  cases.push_back({"chunk_16", plain, {}});
  cases.back().options.chunk_tokens = 16;
  cases.push_back({"salt", plain, {}});
  cases.back().options.salt = "tenant-7";
  cases.push_back({"lora", plain, {}});
  cases.back().options.lora_id = "adapter-3";
  // One span inside chunk 0, one across chunks 0 to 2.
  cases.push_back({"media", plain, {{3, 10, "image-a"}, {60, 100, "image-b"}}});
  cases.push_back(cases.back());
  cases.back().name = "all";
  cases.back().options.salt = "tenant-7";
  cases.back().options.lora_id = "adapter-3";
  return cases;
}

TEST(PrefixKeysGolden, KeysAreThoseOfTheFile) {
  std::vector<uint32_t> tokens(256);
  for (uint32_t i = 0; i < tokens.size(); ++i) tokens[i] = (i * 7919 + 13) % 129'280;
  std::string text =
      "# Token i is (i * 7919 + 13) mod 129280, for i = 0 to 255. Chunks of 64 tokens; chunk_16: of 16.\n"
      "# salt: \"tenant-7\". lora: \"adapter-3\". media: \"image-a\" at tokens 3 to 12, \"image-b\" at 60 to 159. all: "
      "these "
      "three.\n"
      "# algorithm case chunk key\n";
  for (const HashAlgorithm algorithm : {HashAlgorithm::kSha256, HashAlgorithm::kXxh3_128}) {
    for (const Case& test : Cases(algorithm)) {
      auto hasher = PrefixHasher::Create(test.options);
      ASSERT_TRUE(hasher.ok()) << hasher.status();
      for (const MediaSpan& span : test.media) ASSERT_TRUE(hasher->AddMedia(span).ok());
      hasher->Append(tokens);
      for (size_t i = 0; i < hasher->keys().size(); ++i) {
        absl::StrAppend(&text, algorithm == HashAlgorithm::kSha256 ? "sha256 " : "xxh3-128 ", test.name, " ", i, " ",
                        golden::Hex(hasher->keys()[i].bytes()), "\n");
      }
    }
  }
  golden::ExpectFile("prefix_keys.txt", text);
}

TEST(PrefixKeysGolden, WorkedExampleIsThatOfThePage) {
  const std::string page = golden::SourceText("docs/prefix_keys.md");
  const std::vector<uint32_t> tokens = {1, 2, 3, 4};
  for (const HashAlgorithm algorithm : {HashAlgorithm::kSha256, HashAlgorithm::kXxh3_128}) {
    auto hasher = PrefixHasher::Create({.algorithm = algorithm, .chunk_tokens = 4, .salt = "s"});
    ASSERT_TRUE(hasher.ok()) << hasher.status();
    hasher->Append(tokens);
    const std::string key = golden::Hex(hasher->keys().at(0).bytes());
    EXPECT_NE(page.find(key), std::string::npos) << key;
  }
}

}  // namespace
}  // namespace incipit
