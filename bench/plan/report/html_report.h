// A plan as one HTML file with interactive charts, which needs no network and no other file.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "bench/plan/plan.h"

namespace incipit::bench {

// The JSON of PlanJson, the style sheet, the script that draws it and Chart.js, in one page of about 300 KB.
std::string PlanHtml(const PlanReport& report);

// Replaces `path` whole or not at all. InvalidArgument: it cannot be written.
absl::Status WritePlanHtml(const PlanReport& report, const std::string& path);

}  // namespace incipit::bench
