#include "client/cli/block_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "tests/support/temp_path.h"

namespace incipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

BlockChainOptions Custom(uint32_t block_tokens = 4) {
  BlockChainOptions options;
  options.layout = {.name = "custom:2x8", .block_tokens = block_tokens};
  return options;
}

std::string ErrorOf(const BlockChainOptions& options) {
  const absl::StatusOr<BlockChain> chain = MakeBlockChain(options);
  EXPECT_FALSE(chain.ok());
  return std::string(chain.status().message());
}

TEST(BlockChainTest, FourBytesMakeOneToken) {
  EXPECT_THAT(TokensOfBytes("abcdef"), ElementsAre(0x64636261u, 0x6665u));
  EXPECT_THAT(TokensOfBytes("\xff\xff\xff\xff"), ElementsAre(0xffffffffu));
  EXPECT_THAT(TokensOfBytes(""), ElementsAre());
}

TEST(BlockChainTest, TokensAreReadInEveryCommonForm) {
  for (const char* text : {"1 2 3", "[1, 2, 3]", "1\n2\r\n3\n", " 1,2,\t3 "}) {
    const absl::StatusOr<std::vector<uint32_t>> tokens = ParseTokens(text);
    ASSERT_TRUE(tokens.ok()) << tokens.status();
    EXPECT_THAT(*tokens, ElementsAre(1, 2, 3));
  }
}

TEST(BlockChainTest, MalformedTokenIsNamed) {
  for (const char* text : {"1 x 3", "1 -2", "1 4294967296", "1 2.5"}) {
    const absl::StatusOr<std::vector<uint32_t>> tokens = ParseTokens(text);
    ASSERT_FALSE(tokens.ok()) << text;
    EXPECT_THAT(std::string(tokens.status().message()), HasSubstr("token 1 is"));
  }
}

TEST(BlockChainTest, PromptGivesOneKeyPerWholeBlock) {
  BlockChainOptions options = Custom();
  options.text = std::string(4 * 4 * 3 + 5, 'x');  // three blocks of four tokens, and two tokens
  const absl::StatusOr<BlockChain> chain = MakeBlockChain(options);
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_EQ(chain->prompt_tokens, 14u);
  ASSERT_EQ(chain->blocks.size(), 3u);
  EXPECT_EQ(chain->blocks[2].depth_tokens, 8u);
  EXPECT_EQ(chain->model, "custom");
}

TEST(BlockChainTest, CommonOpeningGivesCommonKeysAndSaltSeparatesThem) {
  BlockChainOptions a = Custom(), b = Custom(), salted = Custom();
  a.text = std::string(16, 'x') + std::string(16, 'y');
  b.text = std::string(16, 'x') + std::string(16, 'z');
  salted.text = a.text;
  salted.salt = "tenant";
  const auto chain_a = MakeBlockChain(a), chain_b = MakeBlockChain(b), chain_salted = MakeBlockChain(salted);
  ASSERT_TRUE(chain_a.ok() && chain_b.ok() && chain_salted.ok());
  EXPECT_EQ(chain_a->keys[0][0], chain_b->keys[0][0]);
  EXPECT_FALSE(chain_a->keys[0][1] == chain_b->keys[0][1]);
  EXPECT_FALSE(chain_a->keys[0][0] == chain_salted->keys[0][0]);
}

TEST(BlockChainTest, EveryGroupHasItsOwnChain) {
  BlockChainOptions options;
  options.layout.name = "deepseek-v4-pro";
  options.text = std::string(4 * 256, 'x');
  const absl::StatusOr<BlockChain> chain = MakeBlockChain(options);
  ASSERT_TRUE(chain.ok()) << chain.status();
  for (size_t i = 0; i < chain->keys.size(); ++i) {
    EXPECT_EQ(chain->keys[i].size(), 256 / chain->layout.groups[i].block_tokens) << chain->layout.groups[i].name;
  }
}

TEST(BlockChainTest, FilesAreReadWhole) {
  const std::string path = TempPath("txt");
  std::ofstream(path, std::ios::binary) << std::string(16, '\0') << "1 2";
  BlockChainOptions options = Custom();
  options.file = path;
  const absl::StatusOr<BlockChain> chain = MakeBlockChain(options);
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_EQ(chain->prompt_tokens, 5u);
  std::remove(path.c_str());
}

TEST(BlockChainTest, KeyNamesOneBlockOfItsGroup) {
  BlockChainOptions options;
  options.layout.name = "deepseek-v3.2";
  options.key = "00fFa1";
  options.group = "indexer";
  options.depth_tokens = 64;
  const absl::StatusOr<BlockChain> chain = MakeBlockChain(options);
  ASSERT_TRUE(chain.ok()) << chain.status();
  ASSERT_EQ(chain->blocks.size(), 1u);
  EXPECT_EQ(chain->blocks[0].group, 1);
  EXPECT_EQ(chain->blocks[0].depth_tokens, 64u);
  EXPECT_THAT(chain->blocks[0].key.bytes(), ElementsAre(0x00, 0xff, 0xa1));
  EXPECT_FALSE(chain->is_prompt());
}

TEST(BlockChainTest, MistakesNameTheFlag) {
  BlockChainOptions options = Custom();
  EXPECT_THAT(ErrorOf(options), HasSubstr("exactly one of --text"));
  options.text = "abc";
  EXPECT_THAT(ErrorOf(options), HasSubstr("fewer than the smallest block"));
  options.key = "ab";
  EXPECT_THAT(ErrorOf(options), HasSubstr("2 were given"));
  options.text.clear();
  for (const std::string& key : std::vector<std::string>{"a", "zz", "0x12", std::string(130, 'a')}) {
    options.key = key;
    EXPECT_THAT(ErrorOf(options), HasSubstr("--key " + key));
  }
  options.key = "ab";
  options.group = "latent";
  EXPECT_THAT(ErrorOf(options), HasSubstr("--group latent: layout custom has all"));
  options = Custom();
  options.file = "/nowhere";
  EXPECT_THAT(ErrorOf(options), HasSubstr("--file /nowhere: No such file"));
}

}  // namespace
}  // namespace incipit
