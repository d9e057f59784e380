#include "client/cli/replay_command.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

class ReplayCommandTest : public CliNodeTest {
 protected:
  void SetUp() override {
    CliNodeTest::SetUp();
    trace_ = testing::TempDir() + "/replay_command_test.jsonl";
    std::ofstream(trace_)
        << "{\"timestamp\": 0, \"input_length\": 40, \"output_length\": 1, \"hash_ids\": [0, 1, 2]}\n"
        << "{\"timestamp\": 1, \"input_length\": 48, \"output_length\": 1, \"hash_ids\": [0, 1, 3]}\n";
  }
  std::vector<std::string> Arguments() const {
    return {"replay", "--trace", trace_, "--block-tokens", "16", "--bytes-per-token", "256", "--workers", "1"};
  }
  std::string trace_;
};

TEST_F(ReplayCommandTest, SecondRequestHitsWhatTheFirstStored) {
  const CliResult result = Run(Arguments());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const Json json = result.json();
  EXPECT_EQ(json["requests"], 2);
  EXPECT_EQ(json["blocks"], 6);
  EXPECT_EQ(json["wrong_bytes"], 0);
  EXPECT_EQ(json["hit_tokens"], 32);
  EXPECT_EQ(json["stored_blocks"], 4);
  EXPECT_EQ(json["loaded_blocks"], 2);
  EXPECT_NEAR(json["token_hit_ratio"].get<double>(), 32.0 / 88, 1e-5);
  for (const char* field : {"p50", "p99", "p999"}) EXPECT_TRUE(json["latency_us"].contains(field));
}

TEST_F(ReplayCommandTest, RepeatedReplayHitsEverything) {
  ASSERT_EQ(Run(Arguments()).exit_code, 0);
  const Json json = Run(Arguments()).json();
  EXPECT_EQ(json["token_hit_ratio"], 1.0);
  EXPECT_EQ(json["stored_blocks"], 0);
}

TEST_F(ReplayCommandTest, TextSaysTheRatio) {
  EXPECT_THAT(RunText(Arguments()).out, HasSubstr("token hit ratio  36.36 %"));
}

TEST_F(ReplayCommandTest, WrongBlockSizeIsAnErrorThatNamesTheFlag) {
  std::vector<std::string> arguments = Arguments();
  arguments[4] = "32";
  const CliResult result = Run(arguments);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("--block-tokens"));
}

TEST(ReplayFlagsTest, SpawnAndConnectExcludeEachOther) {
  const CliResult result = RunIncipit({"replay", "--trace", "x", "--spawn", "--connect", "tcp://127.0.0.1:1"});
  EXPECT_EQ(result.exit_code, 2);
}

TEST(ReplayFlagsTest, CapacityInBytesAndPercentExcludeEachOther) {
  EXPECT_EQ(RunIncipit({"replay", "--trace", "x", "--ram-bytes", "1GiB", "--ram-percent", "10"}).exit_code, 2);
}

TEST(ReplayFlagsTest, MissingTraceFileIsAnError) {
  const CliResult result = RunIncipit({"replay", "--trace", "/nonexistent.jsonl"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("/nonexistent.jsonl"));
}

}  // namespace
}  // namespace incipit
