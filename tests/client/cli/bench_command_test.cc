#include "client/cli/bench_command.h"

#include <gmock/gmock.h>

#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

TEST(BenchCommandTest, HashNeedsNoNodeAndReportsBothFunctions) {
  const CliResult result = RunIncipit({"bench", "--op", "hash", "--tokens", "6400", "--pairs", "1", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const Json json = result.json();
  EXPECT_EQ(json["unit"], "ms");
  EXPECT_GT(json["value"].get<double>(), 0);
  EXPECT_GT(json["ratio"].get<double>(), 0);
  EXPECT_GT(json["details"]["xxh3_128"]["ratio"].get<double>(), 0);
  EXPECT_EQ(json["wrong_bytes"], 0);
}

TEST(BenchCommandTest, UnknownOperationsTiersAndLanesAreUsageErrors) {
  EXPECT_EQ(RunIncipit({"bench", "--op", "fly"}).exit_code, 2);
  EXPECT_EQ(RunIncipit({"bench", "--tier", "tape"}).exit_code, 2);
  EXPECT_EQ(RunIncipit({"bench", "--lane", "pigeon"}).exit_code, 2);
  EXPECT_EQ(RunIncipit({"bench", "--spawn", "--connect", "tcp://127.0.0.1:1"}).exit_code, 2);
}

TEST(BenchCommandTest, UnknownLayoutIsAnErrorThatListsTheKnown) {
  const CliResult result = RunIncipit({"bench", "--layout", "none"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("deepseek-v3-bf16"));
}

TEST(BenchCommandTest, ErrorsAreJsonToo) {
  const CliResult result = RunIncipit({"bench", "--layout", "none", "--json"});
  EXPECT_EQ(result.json()["error"]["code"], "NOT_FOUND");
}

}  // namespace
}  // namespace incipit
