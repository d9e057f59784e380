#include "client/cli/doctor/doctor_report.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace incipit {

const char* DoctorStatusName(DoctorStatus status) {
  switch (status) {
    case DoctorStatus::kOk:
      return "ok";
    case DoctorStatus::kWarn:
      return "warn";
    case DoctorStatus::kFail:
      return "fail";
  }
  return "unknown";
}

bool DoctorPassed(const std::vector<DoctorCheck>& checks) {
  return std::none_of(checks.begin(), checks.end(),
                      [](const DoctorCheck& check) { return check.status == DoctorStatus::kFail; });
}

std::string RenderDoctorText(const std::vector<DoctorCheck>& checks) {
  constexpr int kStatusWidth = 4;
  size_t name_width = 0;
  for (const DoctorCheck& check : checks) name_width = std::max(name_width, check.name.size());
  const int name_columns = static_cast<int>(name_width);
  std::string text;
  size_t warnings = 0, failures = 0;
  for (const DoctorCheck& check : checks) {
    if (check.status == DoctorStatus::kWarn) ++warnings;
    if (check.status == DoctorStatus::kFail) ++failures;
    absl::StrAppendFormat(&text, "%-*s  %-*s  %s\n", kStatusWidth, DoctorStatusName(check.status), name_columns,
                          check.name, check.found);
    if (!check.advice.empty()) {
      absl::StrAppendFormat(&text, "%-*s  %-*s  -> %s\n", kStatusWidth, "", name_columns, "", check.advice);
    }
  }
  absl::StrAppendFormat(&text, "\n%d checks: %d to change, %d to consider\n", checks.size(), failures, warnings);
  return text;
}

nlohmann::json RenderDoctorJson(const std::vector<DoctorCheck>& checks) {
  nlohmann::json list = nlohmann::json::array();
  for (const DoctorCheck& check : checks) {
    list.push_back({{"name", check.name},
                    {"status", DoctorStatusName(check.status)},
                    {"found", check.found},
                    {"advice", check.advice},
                    {"details", check.details.is_null() ? nlohmann::json::object() : check.details}});
  }
  return {{"ok", DoctorPassed(checks)}, {"checks", std::move(list)}};
}

}  // namespace incipit
