#include "client/cli/option_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <utility>

#include "tests/support/temp_path.h"

namespace incipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two commands with some flags, a configuration file and an environment.
class OptionSourcesTest : public testing::Test {
 protected:
  OptionSourcesTest() {
    CLI::App* serve = app_.add_subcommand("serve", "");
    serve->add_option("--shards", shards_, "");
    serve->add_option("--name", name_, "");
    serve->add_option("--must", must_, "")->required();
    serve->add_option("--many", many_, "");
    serve->add_flag("--sparse", sparse_, "");
    app_.add_subcommand("status", "")->add_option("--connect", connect_, "");
  }

  void WriteConfig(const std::string& text) {
    path_ = TempPath("toml");
    std::ofstream(path_) << text;
  }

  // The error, or "" if all went well.
  std::string Parse(std::vector<std::string> arguments) {
    if (!path_.empty()) arguments.insert(arguments.end(), {"--config", path_});
    OptionSources sources([this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
    if (const absl::Status status = sources.Install(&app_, arguments); !status.ok()) {
      return std::string(status.message());
    }
    try {
      app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
      return error.what();
    }
    return "";
  }

  void TearDown() override { std::remove(path_.c_str()); }

  CLI::App app_;
  int shards_ = 1;
  std::string name_ = "default", must_, connect_;
  std::vector<int> many_;
  bool sparse_ = false;
  std::string path_;
  std::map<std::string, std::string> environment_;
};

TEST_F(OptionSourcesTest, FlagOutranksEnvironmentOutranksFileOutranksDefault) {
  WriteConfig("[serve]\nshards = 2\nname = \"file\"\nmust = \"file\"\n");
  environment_ = {{"INCIPIT_SHARDS", "3"}, {"INCIPIT_NAME", "environment"}};
  EXPECT_EQ(Parse({"serve", "--shards", "4"}), "");
  EXPECT_EQ(shards_, 4);
  EXPECT_EQ(name_, "environment");
  EXPECT_EQ(must_, "file");
  EXPECT_FALSE(sparse_);
}

TEST_F(OptionSourcesTest, OwnTableOutranksTheTopOfTheFile) {
  WriteConfig("name = \"top\"\nmust = \"top\"\n[serve]\nname = \"own\"\n");
  EXPECT_EQ(Parse({"serve"}), "");
  EXPECT_EQ(name_, "own");
  EXPECT_EQ(must_, "top");
}

TEST_F(OptionSourcesTest, FlagsAndListsComeFromEverywhere) {
  WriteConfig("[serve]\nmany = [1, 2, 3]\nsparse = true\n");
  environment_ = {{"INCIPIT_MUST", "x"}};
  EXPECT_EQ(Parse({"serve"}), "");
  EXPECT_THAT(many_, ElementsAre(1, 2, 3));
  EXPECT_TRUE(sparse_);
}

TEST_F(OptionSourcesTest, UnknownKeyNamesFileLineAndCommand) {
  WriteConfig("[serve]\nmust = \"x\"\nshardz = 2\n");
  EXPECT_THAT(Parse({"serve"}), HasSubstr(path_ + ":3: unknown key 'shardz': `incipit serve` has no flag --shardz"));
}

TEST_F(OptionSourcesTest, KeyOfAnotherCommandIsUnknown) {
  WriteConfig("[status]\nshards = 2\n");
  EXPECT_THAT(Parse({"serve", "--must", "x"}), HasSubstr(path_ + ":2: unknown key 'shards'"));
}

TEST_F(OptionSourcesTest, UnknownTableAndUnknownKeyAtTheTopAreErrors) {
  WriteConfig("[server]\nshards = 2\n");
  EXPECT_THAT(Parse({"serve", "--must", "x"}), HasSubstr(":2: unknown table [server]"));
}

TEST_F(OptionSourcesTest, UnknownKeyAtTheTopIsAnError) {
  WriteConfig("nothing = 2\n");
  EXPECT_THAT(Parse({"serve", "--must", "x"}), HasSubstr(":1: unknown key 'nothing': no command has"));
}

TEST_F(OptionSourcesTest, WrongValueNamesWhereItCameFrom) {
  WriteConfig("[serve]\nmust = \"x\"\nshards = \"many\"\n");
  EXPECT_THAT(Parse({"serve"}), AllOf(HasSubstr(path_ + ":3: "), HasSubstr("--shards")));
}

TEST_F(OptionSourcesTest, WrongValueInTheEnvironmentNamesTheVariable) {
  environment_ = {{"INCIPIT_SHARDS", "many"}};
  EXPECT_THAT(Parse({"serve", "--must", "x"}), AllOf(HasSubstr("INCIPIT_SHARDS: "), HasSubstr("--shards")));
}

TEST_F(OptionSourcesTest, EmptyVariableCountsAsNotSet) {
  environment_ = {{"INCIPIT_SHARDS", ""}};
  EXPECT_EQ(Parse({"serve", "--must", "x"}), "");
  EXPECT_EQ(shards_, 1);
}

TEST_F(OptionSourcesTest, RequiredFlagGivenNowhereIsMissing) {
  EXPECT_THAT(Parse({"serve"}), HasSubstr("--must is required"));
}

TEST_F(OptionSourcesTest, FileMayBeNamedByTheEnvironment) {
  WriteConfig("[serve]\nmust = \"from file\"\n");
  environment_ = {{"INCIPIT_CONFIG", path_}};
  const std::string path = std::exchange(path_, "");
  EXPECT_EQ(Parse({"serve"}), "");
  EXPECT_EQ(must_, "from file");
  path_ = path;
}

TEST_F(OptionSourcesTest, MissingFileIsAnError) {
  path_ = "/nowhere.toml";
  EXPECT_THAT(Parse({"serve"}), HasSubstr("--config /nowhere.toml"));
}

TEST(EnvironmentNameTest, DashesBecomeUnderscores) {
  EXPECT_EQ(EnvironmentName("nvme-bytes"), "INCIPIT_NVME_BYTES");
  EXPECT_EQ(EnvironmentName("--json"), "INCIPIT_JSON");
}

}  // namespace
}  // namespace incipit
