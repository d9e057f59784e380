#include "client/cli/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string ErrorOf(const std::string& text) {
  const absl::StatusOr<ConfigFile> file = ConfigFile::Parse(text, "x.toml");
  EXPECT_FALSE(file.ok()) << text;
  return std::string(file.status().message());
}

TEST(ConfigFileTest, SettingsCarryTableFlagValuesAndLine) {
  const absl::StatusOr<ConfigFile> file = ConfigFile::Parse(
      "log-level = \"debug\"\n"
      "[serve]\n"
      "nvme_bytes = \"1TiB\"\n"
      "shards = 4\n"
      "insecure = true\n"
      "max-pinned-share = 0.25\n"
      "several = [1, \"two\"]\n",
      "x.toml");
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<std::string> seen;
  for (const ConfigFile::Setting& setting : file->settings()) {
    std::string line = file->Where(setting) + " " + setting.table + "." + setting.flag;
    for (const std::string& value : setting.values) line += " " + value;
    seen.push_back(line);
  }
  EXPECT_THAT(seen, ElementsAre("x.toml:1 .log-level debug", "x.toml:3 serve.nvme-bytes 1TiB",
                                "x.toml:4 serve.shards 4", "x.toml:5 serve.insecure true",
                                "x.toml:6 serve.max-pinned-share 0.25", "x.toml:7 serve.several 1 two"));
}

TEST(ConfigFileTest, BrokenSyntaxNamesFileAndLine) {
  EXPECT_THAT(ErrorOf("[serve]\nshards = = 4\n"), HasSubstr("x.toml:2: "));
  EXPECT_THAT(ErrorOf("a = 1\na = 2\n"), HasSubstr("x.toml:2: "));
}

TEST(ConfigFileTest, ValuesThatNoFlagTakesAreRefused) {
  EXPECT_THAT(ErrorOf("[serve]\nram = 2024-01-01\n"), HasSubstr("x.toml:2: 'ram'"));
  EXPECT_THAT(ErrorOf("[serve.limits]\nloads = 1\n"), HasSubstr("'limits'"));
  EXPECT_THAT(ErrorOf("ram = []\n"), HasSubstr("x.toml:1: 'ram' is an empty array"));
  EXPECT_THAT(ErrorOf("ram = [[1]]\n"), HasSubstr("x.toml:1: 'ram'"));
}

TEST(ConfigFileTest, MissingFileIsNotFound) {
  const absl::StatusOr<ConfigFile> file = ConfigFile::Read("/nowhere/incipit.toml");
  EXPECT_EQ(file.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("--config /nowhere/incipit.toml: No such file"));
}

TEST(ConfigFileTest, EmptyFileHasNoSettings) {
  const absl::StatusOr<ConfigFile> file = ConfigFile::Parse("# nothing\n", "x.toml");
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->settings().empty());
}

}  // namespace
}  // namespace incipit
