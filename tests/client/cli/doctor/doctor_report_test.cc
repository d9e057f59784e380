#include "client/cli/doctor/doctor_report.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

std::vector<DoctorCheck> ThreeChecks() {
  return {{.name = "io_uring", .status = DoctorStatus::kOk, .found = "works"},
          {.name = "memlock", .status = DoctorStatus::kWarn, .found = "8 MiB", .advice = "ulimit -l unlimited"},
          {.name = "cpu", .status = DoctorStatus::kFail, .found = "none", .details = {{"cores", 0}}}};
}

TEST(DoctorReportTest, TextAlignsColumnsAndCountsChanges) {
  EXPECT_EQ(RenderDoctorText(ThreeChecks()),
            "ok    io_uring  works\n"
            "warn  memlock   8 MiB\n"
            "                -> ulimit -l unlimited\n"
            "fail  cpu       none\n"
            "\n"
            "3 checks: 1 to change, 1 to consider\n");
}

TEST(DoctorReportTest, JsonHasTheStableNamesInOrder) {
  const nlohmann::json report = RenderDoctorJson(ThreeChecks());
  EXPECT_EQ(report["ok"], false);
  ASSERT_EQ(report["checks"].size(), 3u);
  EXPECT_EQ(report["checks"][1], nlohmann::json::parse(R"({"name": "memlock", "status": "warn", "found": "8 MiB",
                                                           "advice": "ulimit -l unlimited", "details": {}})"));
  EXPECT_EQ(report["checks"][2]["details"]["cores"], 0);
}

TEST(DoctorReportTest, WarningsDoNotFailTheReport) {
  std::vector<DoctorCheck> checks = ThreeChecks();
  checks.pop_back();
  EXPECT_TRUE(DoctorPassed(checks));
  EXPECT_EQ(RenderDoctorJson(checks)["ok"], true);
}

}  // namespace
}  // namespace incipit
