// What a row of a plan leaves on the table, and who could get it.
#pragma once

#include "bench/plan/plan.h"

namespace incipit::bench {

// Ratios of the tokens of all prompts: bound - hit is what a clairvoyant policy would get out of the same size, endless
// - bound what only more room would. Their sum is what the row misses of a tier with room for everything.
struct BeladyGap {
  double by_policy = 0;
  double by_capacity = 0;
};

// REQUIRES: the report has bounds. `row_index`: of report.rows.
inline BeladyGap GapOf(const PlanReport& report, size_t row_index) {
  const double bound = report.bounds[row_index % report.bounds.size()].totals.TokenHitRatio();
  return {.by_policy = bound - report.rows[row_index].totals.TokenHitRatio(),
          .by_capacity = report.endless.TokenHitRatio() - bound};
}

}  // namespace incipit::bench
