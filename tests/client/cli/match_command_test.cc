#include "client/cli/match_command.h"

#include <gmock/gmock.h>

#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class MatchCommandTest : public CliNodeTest {
 protected:
  const std::string opening_ = std::string(512, 'x');  // two blocks of 64 tokens
};

TEST_F(MatchCommandTest, NothingStoredIsAMiss) {
  const CliResult result = Run({"match", "--text", opening_});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_EQ(result.json()["hit"], false);
  EXPECT_EQ(result.json()["tokens_matched"], 0);
}

TEST_F(MatchCommandTest, CommonOpeningIsMatched) {
  ASSERT_EQ(Run({"put", "--text", opening_ + std::string(256, 'a'), "--random", "1"}).exit_code, 0);
  const CliResult result = Run({"match", "--text", opening_ + std::string(256, 'b')});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const Json json = result.json();
  EXPECT_EQ(json["tokens_prompt"], 192);
  EXPECT_EQ(json["tokens_matched"], 128);
  EXPECT_THAT(json["restorable_tokens"].get<std::vector<uint64_t>>(), ElementsAre(64, 128));
  EXPECT_EQ(json["complete"], true);
  EXPECT_EQ(json["groups"][0]["hits_ram"], 2);
  EXPECT_EQ(json["groups"][0]["misses"], 1);
  EXPECT_FALSE(json.contains("blocks"));
}

TEST_F(MatchCommandTest, ListNamesEveryBlock) {
  ASSERT_EQ(Run({"put", "--text", opening_, "--random", "1"}).exit_code, 0);
  const Json json = Run({"match", "--text", opening_ + std::string(256, 'b'), "--list"}).json();
  ASSERT_EQ(json["blocks"].size(), 3u);
  EXPECT_EQ(json["blocks"][0]["tier"], "ram");
  EXPECT_EQ(json["blocks"][1]["depth_tokens"], 64);
  EXPECT_EQ(json["blocks"][2]["tier"], "miss");
  EXPECT_EQ(json["blocks"][0]["key"].get<std::string>().size(), 64u);
}

TEST_F(MatchCommandTest, ListedKeyFindsTheBlockAlone) {
  ASSERT_EQ(Run({"put", "--text", opening_, "--random", "1"}).exit_code, 0);
  const std::string key = Run({"match", "--text", opening_, "--list"}).json()["blocks"][1]["key"];
  const CliResult result = Run({"match", "--key", key});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["groups"][0]["hits_ram"], 1);
  EXPECT_EQ(Run({"match", "--key", "ab"}).exit_code, 3);
}

TEST_F(MatchCommandTest, OtherModelsAndTenantsDoNotSeeEachOther) {
  ASSERT_EQ(Run({"put", "--text", opening_, "--random", "1"}).exit_code, 0);
  EXPECT_EQ(Run({"match", "--text", opening_, "--model", "other"}).exit_code, 3);
  EXPECT_EQ(Run({"match", "--text", opening_, "--tenant", "other"}).exit_code, 3);
  EXPECT_EQ(Run({"match", "--text", opening_, "--layout", "deepseek-v3-bf16"}).exit_code, 3);
}

TEST_F(MatchCommandTest, TextSaysHowMuchCanBeRestored) {
  ASSERT_EQ(Run({"put", "--text", opening_, "--random", "1"}).exit_code, 0);
  const CliResult result = RunText({"match", "--text", opening_, "--list"});
  EXPECT_THAT(result.out, HasSubstr("128 of 128 tokens can be restored"));
  EXPECT_THAT(result.out, HasSubstr("latent"));
  EXPECT_THAT(result.out, HasSubstr("ram "));
}

}  // namespace
}  // namespace incipit
