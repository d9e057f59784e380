#include "client/cli/cli.h"

#include <gmock/gmock.h>

#include <sstream>

#include "cache/base/version.h"
#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

TEST(CliTest, HelpListsEveryCommandAndTheExitStatuses) {
  const CliResult result = RunIncipit({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  for (const char* command : {"serve", "status", "doctor", "match", "put", "get", "remove"}) {
    EXPECT_THAT(result.out, HasSubstr(std::string("  ") + command + " "));
  }
  EXPECT_THAT(result.out, HasSubstr("INCIPIT_"));
  EXPECT_THAT(result.out, HasSubstr("Exit status"));
}

TEST(CliTest, HelpLinesFitAScreen) {
  for (const char* command : {"", "serve", "status", "match", "put", "get", "remove"}) {
    std::vector<std::string> arguments = {"--help"};
    if (*command != '\0') arguments.insert(arguments.begin(), command);
    std::istringstream lines(RunIncipit(arguments).out);
    for (std::string line; std::getline(lines, line);) {
      // Lists of names are as long as they are.
      if (line.find("--layout") != std::string::npos) continue;
      EXPECT_LE(line.size(), 160u) << command << ": " << line;
    }
  }
}

TEST(CliTest, EveryCommandHasJsonAndExamples) {
  for (const char* command : {"serve", "status", "match", "put", "get", "remove"}) {
    const CliResult result = RunIncipit({command, "--help"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.out, HasSubstr("--json")) << command;
    EXPECT_THAT(result.out, HasSubstr("Examples:")) << command;
    EXPECT_THAT(result.out, HasSubstr("Exit status:")) << command;
  }
}

TEST(CliTest, VersionIsThatOfTheProject) {
  const CliResult result = RunIncipit({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr(std::string("incipit ") + BuildVersion()));
}

TEST(CliTest, MistakesEndWithTwoAndPointToHelp) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {}, {"nothing"}, {"status", "--nothing"}, {"status", "extra"}, {"serve", "--shards", "x"}}) {
    const CliResult result = RunIncipit(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr("--help"));
    EXPECT_EQ(result.out, "");
  }
}

TEST(CliTest, WrongEnvironmentNamesTheVariable) {
  const CliResult result = RunIncipit({"status"}, {{"INCIPIT_TIMEOUT_MS", "soon"}});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("INCIPIT_TIMEOUT_MS"));
}

TEST(CliTest, MissingConfigurationIsAMistake) {
  const CliResult result = RunIncipit({"status", "--config", "/nowhere.toml"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("/nowhere.toml"));
}

}  // namespace
}  // namespace incipit
