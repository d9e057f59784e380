#include "client/cli/get_command.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/support/cli_fixture.h"
#include "tests/support/temp_path.h"

namespace incipit {
namespace {

using testing::HasSubstr;

class GetCommandTest : public CliNodeTest {
 protected:
  const std::string prompt_ = std::string(1024, 'x');
};

TEST_F(GetCommandTest, WhatWasPutIsAHitWithTheRightBytes) {
  ASSERT_EQ(Run({"put", "--text", prompt_, "--random", "1"}).exit_code, 0);
  const CliResult result = Run({"get", "--text", prompt_, "--random", "1"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const Json json = result.json();
  EXPECT_EQ(json["hit"], true);
  EXPECT_EQ(json["hits_ram"], 4);
  EXPECT_EQ(json["wrong_bytes"], 0);
  EXPECT_EQ(json["missed"], Json::object());
}

TEST_F(GetCommandTest, OtherSeedMeansWrongBytesAndFailure) {
  ASSERT_EQ(Run({"put", "--text", prompt_, "--random", "1"}).exit_code, 0);
  const CliResult result = Run({"get", "--text", prompt_, "--random", "2"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_GT(result.json()["wrong_bytes"].get<uint64_t>(), 0u);
}

TEST_F(GetCommandTest, MissEndsWithThree) {
  const CliResult result = Run({"get", "--text", prompt_});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_EQ(result.json()["hit"], false);
  EXPECT_EQ(result.json()["missed"]["miss"], 4);
}

TEST_F(GetCommandTest, PartlyMissedPromptEndsWithThreeAndZerosInTheFile) {
  ASSERT_EQ(Run({"put", "--text", std::string(512, 'x'), "--random", "1"}).exit_code, 0);
  const std::string path = TempPath("bin");
  const CliResult result = Run({"get", "--text", prompt_, "--random", "1", "--out", path});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_EQ(result.json()["hits"], 2);
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  std::remove(path.c_str());
  ASSERT_EQ(bytes.str().size(), 4u * 56'960);
  EXPECT_EQ(bytes.str().find_first_not_of('\0', 2 * 56'960), std::string::npos);
  EXPECT_NE(bytes.str().find_first_not_of('\0'), std::string::npos);
}

TEST_F(GetCommandTest, TextSaysWhatHappened) {
  EXPECT_THAT(RunText({"get", "--text", prompt_}).out, HasSubstr("0 of 4 blocks"));
}

TEST_F(GetCommandTest, StandardOutputCannotHoldBothBytesAndJson) {
  const CliResult result = Run({"get", "--text", prompt_, "--out", "-"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("--out - and --json"));
}

TEST_F(GetCommandTest, FileThatCannotBeWrittenIsAnError) {
  const CliResult result = Run({"get", "--text", prompt_, "--out", "/nowhere/file"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("--out /nowhere/file: No such file"));
}

}  // namespace
}  // namespace incipit
