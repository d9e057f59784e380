// A plan as JSON and as a table.
#pragma once

#include <string>

#include "bench/common/json.h"
#include "bench/plan/plan.h"

namespace incipit::bench {

// Field names are a contract: add, never rename. Ratios are from 0 to 1.
Json PlanJson(const PlanReport& report);
// Lines of "tokens hit % / FLOPs saved %", a policy each, a column for each size.
std::string PlanText(const PlanReport& report);

}  // namespace incipit::bench
