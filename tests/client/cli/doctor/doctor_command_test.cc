#include "client/cli/doctor/doctor_command.h"

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/cli/doctor/fake_system.h"

namespace incipit {
namespace {

struct Outcome {
  int exit_code = -1;
  std::string output;
};

Outcome RunCommand(const std::string& arguments) {
  Outcome outcome;
  CLI::App app("test");
  AddDoctorCommand(app, &outcome.exit_code);
  testing::internal::CaptureStdout();
  app.parse(arguments);
  outcome.output = testing::internal::GetCapturedStdout();
  return outcome;
}

TEST(DoctorCommandTest, JsonIsTheWholeOutput) {
  const Outcome outcome = RunCommand(std::string("doctor --json --fast --dir ") + INCIPIT_BINARY_DIR);
  const nlohmann::json report = nlohmann::json::parse(outcome.output, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << outcome.output;
  EXPECT_EQ(report["ok"], outcome.exit_code == 0);
  EXPECT_EQ(report["checks"].size(), 13u);
}

TEST(DoctorCommandTest, FailedCheckGivesExitCodeOne) {
  FakeSystem directory;
  const Outcome outcome = RunCommand("doctor --fast --dir " + directory.root() + "/absent");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, testing::HasSubstr("fail  direct_io"));
}

TEST(DoctorCommandTest, SizesTakeUnits) {
  FakeSystem directory;
  const Outcome outcome = RunCommand("doctor --json --fast --nvme-bytes 3GiB --dir " + directory.root());
  const nlohmann::json report = nlohmann::json::parse(outcome.output, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << outcome.output;
  EXPECT_EQ(report["checks"][5]["details"]["wanted_bytes"], 3ull << 30);
}

TEST(DoctorCommandTest, OtherCommandLeavesExitCodeAlone) {
  int exit_code = -1;
  CLI::App app("test");
  AddDoctorCommand(app, &exit_code);
  app.add_subcommand("other", "");
  app.parse("other");
  EXPECT_EQ(exit_code, -1);
}

}  // namespace
}  // namespace incipit
