#include "client/cli/doctor/system_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/cli/doctor/fake_system.h"

namespace incipit {
namespace {

TEST(SystemFilesTest, TextLosesTrailingWhiteSpaceOnly) {
  FakeSystem system;
  system.Put("/proc/x", " a b \n\n");
  EXPECT_EQ(SystemFiles(system.root()).Text("/proc/x"), " a b");
}

TEST(SystemFilesTest, AbsentFileIsAbsentNotEmpty) {
  FakeSystem system;
  const SystemFiles files(system.root());
  EXPECT_EQ(files.Text("/proc/nothing"), std::nullopt);
  EXPECT_EQ(files.Number("/proc/nothing"), std::nullopt);
  EXPECT_EQ(files.Field("/proc/nothing", "a"), std::nullopt);
  EXPECT_TRUE(files.List("/proc/nothing").empty());
}

TEST(SystemFilesTest, NumberTakesFirstWordAndRejectsWords) {
  FakeSystem system;
  system.Put("/n", "42 kB\n");
  system.Put("/w", "none\n");
  const SystemFiles files(system.root());
  EXPECT_EQ(files.Number("/n"), 42);
  EXPECT_EQ(files.Number("/w"), std::nullopt);
}

TEST(SystemFilesTest, FieldNeedsWholeName) {
  FakeSystem system;
  system.Put("/proc/meminfo", "HugePages_Total:      5\nHugePages_Free:       3\nHugepagesize:    2048 kB\n");
  const SystemFiles files(system.root());
  EXPECT_EQ(files.NumberField("/proc/meminfo", "HugePages_Free"), 3);
  EXPECT_EQ(files.NumberField("/proc/meminfo", "Hugepagesize"), 2048);
  EXPECT_EQ(files.Field("/proc/meminfo", "HugePages"), std::nullopt);
}

TEST(SystemFilesTest, FieldAllowsTabsBeforeColon) {
  FakeSystem system;
  system.Put("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU\n");
  EXPECT_EQ(SystemFiles(system.root()).Field("/proc/cpuinfo", "model name"), "Some CPU");
}

TEST(SystemFilesTest, ListIsSorted) {
  FakeSystem system;
  system.Put("/sys/d/b", "");
  system.Put("/sys/d/a", "");
  EXPECT_THAT(SystemFiles(system.root()).List("/sys/d"), testing::ElementsAre("a", "b"));
}

}  // namespace
}  // namespace incipit
