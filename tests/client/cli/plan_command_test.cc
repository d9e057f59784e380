#include "client/cli/plan_command.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

class PlanCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    trace_ = absl::StrCat(testing::TempDir(), "/plan_command_test.", getpid(), ".jsonl");  // tests run side by side
    std::ofstream(trace_)
        << "{\"timestamp\": 0, \"input_length\": 40, \"output_length\": 1, \"hash_ids\": [0, 1, 2]}\n"
        << "broken\n"
        << "{\"timestamp\": 1, \"input_length\": 48, \"output_length\": 1, \"hash_ids\": [0, 1, 3]}\n";
  }
  void TearDown() override { std::remove(trace_.c_str()); }
  std::vector<std::string> Arguments(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"plan", "--trace", trace_, "--block-tokens", "16"});
    return more;
  }
  std::string trace_;
};

TEST_F(PlanCommandTest, JsonHoldsTheContractForScripts) {
  const CliResult result =
      RunIncipit(Arguments({"--policy", "lru,gil,gil-cost,auto,min", "--sizes", "25%,100%", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = result.json();
  EXPECT_EQ(json["unique_blocks"], 4);
  ASSERT_EQ(json["rows"].size(), 10u);
  EXPECT_EQ(json["rows"][1]["policy"], "lru");
  EXPECT_EQ(json["rows"][1]["size_percent"], 100);
  EXPECT_NEAR(json["rows"][1]["token_hit_ratio"].get<double>(), 32.0 / 88, 1e-9);
  EXPECT_GT(json["rows"][1]["flops_saved_ratio"].get<double>(), 0);
  EXPECT_TRUE(json.contains("seconds"));
  EXPECT_TRUE(json.contains("peak_memory_bytes"));
  EXPECT_THAT(result.err, HasSubstr("line 2"));
}

TEST_F(PlanCommandTest, EveryOptionOfTheContractIsTaken) {
  const CliResult result = RunIncipit(Arguments({"--policy", "auto", "--sizes", "50", "--objective", "flops",
                                                 "--shards", "2", "--hint-next-use-s", "10", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["objective"], "flops");
  EXPECT_EQ(result.json()["shards"], 2);
}

TEST_F(PlanCommandTest, ACodecShrinksTheGroupsThatItTakes) {
  const CliResult coded =
      RunIncipit(Arguments({"--policy", "lru", "--sizes", "100%", "--codec", "bf16-lossless-fast", "--json"}));
  ASSERT_EQ(coded.exit_code, 0) << coded.err;
  const Json assumptions = coded.json()["assumptions"];
  EXPECT_EQ(assumptions["codec"], "bf16-lossless-fast");
  EXPECT_NEAR(assumptions["stored_bytes_per_token"].get<double>() * assumptions["codec_ratio"].get<double>(),
              assumptions["bytes_per_token"].get<double>(), 1e-6);
  EXPECT_GT(assumptions["codec_ratio"].get<double>(), 1.4);
  EXPECT_TRUE(coded.json()["rows"][0]["sizing"].contains("codec_cores"));
  const CliResult ratio = RunIncipit(Arguments({"--policy", "lru", "--sizes", "100%", "--codec", "1.3"}));
  ASSERT_EQ(ratio.exit_code, 0) << ratio.err;
  EXPECT_THAT(ratio.out, HasSubstr("Stored by ratio 1.3"));
  const CliResult wrong =
      RunIncipit(Arguments({"--policy", "lru", "--codec", "bf16-lossless", "--layout", "custom:2x50"}));
  EXPECT_NE(wrong.exit_code, 0);
  EXPECT_THAT(wrong.err, HasSubstr("rows of 50 bytes"));
}

TEST_F(PlanCommandTest, ASampleSaysHowFarOffItMayBe) {
  const std::vector<std::string> usual = {"plan", "--workload", "templates", "--policy", "lru", "--sizes", "10%"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), usual.begin(), usual.end());
    return RunIncipit(more);
  };
  const CliResult sampled = with({"--sample", "20%", "--json"}), exact = with({"--json"});
  ASSERT_EQ(sampled.exit_code, 0) << sampled.err;
  ASSERT_EQ(exact.exit_code, 0) << exact.err;
  const Json row = sampled.json()["rows"][0];
  EXPECT_GT(row["token_hit_error"].get<double>(), 0);
  EXPECT_NEAR(row["token_hit_ratio"].get<double>(), exact.json()["rows"][0]["token_hit_ratio"].get<double>(), 0.03);
  EXPECT_EQ(sampled.json()["block_references"], exact.json()["block_references"]);
  EXPECT_LT(sampled.json()["sampled_blocks"].get<double>(), 0.3 * exact.json()["unique_blocks"].get<double>());
  EXPECT_FALSE(exact.json()["rows"][0].contains("token_hit_error"));
  EXPECT_THAT(with({"--sample", "20%"}).out, HasSubstr("Twice the standard error"));
  EXPECT_THAT(with({"--sample", "0"}).err, HasSubstr("--sample"));
  EXPECT_THAT(with({"--sample", "20%", "--shards", "4"}).err, HasSubstr("--sample and --shards"));
}

TEST_F(PlanCommandTest, TableIsTheDefault) {
  const CliResult result = RunIncipit(Arguments({"--policy", "lru", "--sizes", "100%"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("36.4/"));
}

TEST_F(PlanCommandTest, WritesAReportAndEndsWithTheFlagsOfServe) {
  const std::string path = testing::TempDir() + "/plan_command_test.html";
  std::remove(path.c_str());
  const CliResult result = RunIncipit(Arguments({"--policy", "lru,min", "--sizes", "50%,100%", "--html", path}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\nOn each node:\n  incipit serve --ram "));
  std::ifstream file(path);
  std::string first;
  std::getline(file, first);
  EXPECT_EQ(first, "<!doctype html>");
}

TEST_F(PlanCommandTest, LayoutsGiveTheBytesOfAToken) {
  const CliResult result = RunIncipit(Arguments({"--policy", "lru", "--layout", "custom:2x50", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["assumptions"]["bytes_per_token"], 100);
  const CliResult windows = RunIncipit(Arguments({"--policy", "lru", "--layout", "deepseek-v4-flash", "--json"}));
  EXPECT_THAT(windows.err, HasSubstr("windows and states"));
}

TEST_F(PlanCommandTest, StrictStopsAtTheMalformedLine) {
  const CliResult result = RunIncipit(Arguments({"--strict"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("line 2"));
}

TEST_F(PlanCommandTest, WrongValuesNameTheFlag) {
  EXPECT_THAT(RunIncipit(Arguments({"--policy", "clock"})).err, HasSubstr("--policy"));
  EXPECT_THAT(RunIncipit(Arguments({"--sizes", "0%"})).err, HasSubstr("--sizes"));
  EXPECT_EQ(RunIncipit(Arguments({"--objective", "fame"})).exit_code, 2);
  EXPECT_EQ(RunIncipit({"plan"}).exit_code, 1);
}

TEST(ParsePercentListTest, ReadsWhatPeopleWrite) {
  const absl::StatusOr<std::vector<double>> percents = ParsePercentList("1%, 2.5 %,10");
  ASSERT_TRUE(percents.ok()) << percents.status();
  EXPECT_EQ(*percents, (std::vector<double>{1, 2.5, 10}));
}

TEST(ParsePercentListTest, RefusesWhatIsNoSize) {
  for (const char* text : {"", "1%,", "a", "-1%", "101%", "nan", "inf", "0", "1%%"}) {
    EXPECT_FALSE(ParsePercentList(text).ok()) << text;
  }
}

}  // namespace
}  // namespace incipit
