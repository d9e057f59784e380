// Bytes, nodes, seconds and money of a plan as JSON and as text.
#pragma once

#include <string>

#include "bench/common/json.h"
#include "bench/plan/plan.h"

namespace incipit::bench {

// Field names are a contract: add, never rename. What is per second, hour or day is null where the workload has no
// time span. Ratios are from 0 to 1.
Json RowSizingJson(const RowSizing& sizing);
Json RecommendationJson(const Recommendation& recommendation);
// What was assumed, with every value that the figures depend on.
Json SizingOptionsJson(const PlanReport& report);
Json DistributionJson(const Distribution& distribution);

// Tables of the gap to the bound and of the sizing, then the recommendation, which ends with the command that starts a
// node. Empty if rows are not sized.
std::string SizingText(const PlanReport& report);

}  // namespace incipit::bench
