#include "bench/replay/plan_forecast.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "bench/common/json.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

constexpr double kSamePercent = 1e-6;

absl::StatusOr<uint64_t> NumberIn(const Json& plan, const char* field) {
  const auto found = plan.find(field);
  if (found == plan.end() || !found->is_number_unsigned()) {
    return absl::InvalidArgumentError(
        fmt::format("--against: \"{}\" is missing or no number; expected a report of `incipit plan --json`", field));
  }
  return found->get<uint64_t>();
}

absl::Status CheckSame(const Json& plan, const char* field, uint64_t here) {
  ASSIGN_OR_RETURN(const uint64_t there, NumberIn(plan, field));
  if (there == here) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--against: the plan is of another trace: its {} is {}, here it is {}; make a plan of this trace, "
                  "with the same --block-tokens",
                  field, there, here));
}

// False for what is no row of a plan.
bool ReadRow(const Json& row, std::string* policy, double* percent, double* ratio) {
  if (!row.is_object() || !row.contains("policy") || !row["policy"].is_string()) return false;
  for (const char* field : {"size_percent", "token_hit_ratio"}) {
    if (!row.contains(field) || !row[field].is_number()) return false;
  }
  *policy = row["policy"].get<std::string>();
  *percent = row["size_percent"].get<double>();
  *ratio = row["token_hit_ratio"].get<double>();
  return *ratio >= 0 && *ratio <= 1;
}

}  // namespace

absl::StatusOr<double> PredictedHitRatio(std::string_view plan_json, const PlanQuestion& question) {
  const Json plan = Json::parse(plan_json, nullptr, /*allow_exceptions=*/false);
  if (!plan.is_object() || !plan.contains("rows") || !plan["rows"].is_array()) {
    return absl::InvalidArgumentError("--against: no report of `incipit plan --json`: a JSON object with \"rows\"");
  }
  RETURN_IF_ERROR(CheckSame(plan, "block_tokens", question.block_tokens));
  RETURN_IF_ERROR(CheckSame(plan, "requests", question.requests));
  RETURN_IF_ERROR(CheckSame(plan, "unique_blocks", question.unique_blocks));
  std::string rows;
  for (const Json& row : plan["rows"]) {
    std::string policy;
    double percent = 0, ratio = 0;
    if (!ReadRow(row, &policy, &percent, &ratio)) {
      return absl::InvalidArgumentError("--against: a row lacks policy, size_percent or token_hit_ratio (0 to 1)");
    }
    if (policy == question.policy && std::abs(percent - question.size_percent) < kSamePercent) return ratio;
    rows += fmt::format(" {} {:g} %,", policy, percent);
  }
  if (!rows.empty()) rows.pop_back();
  return absl::NotFoundError(fmt::format(
      "--against: the plan has no row of {} at {:g} % (--ram-percent and --nvme-percent together); it has:{}",
      question.policy, question.size_percent, rows.empty() ? " none" : rows));
}

absl::StatusOr<std::string> ReadPlanFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(fmt::format("--against {}: cannot be read", path));
  std::string text(kMaxPlanBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxPlanBytes) {
    return absl::InvalidArgumentError(fmt::format("--against {}: over {} bytes, no plan", path, kMaxPlanBytes));
  }
  return text;
}

}  // namespace incipit::bench
