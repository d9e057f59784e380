// Gives the rows of a plan their sizing, and the plan its recommendation.
#pragma once

#include "bench/common/progress.h"
#include "bench/plan/plan.h"
#include "eviction/sim/prefix_trace.h"

namespace incipit::bench {

// Whether rows are sized: as the options say, and by kAuto if the workload is not too large.
bool SizesRows(const PlanReport& report);

// Replays the tiers of each row but the bound's, then those of the recommended row for kRamPercentsTried. Says in the
// report's warnings why, if there is no recommendation. Does nothing unless SizesRows. Runs as many replays at a time
// as RunPlan runs simulations.
void SizePlan(const PrefixTrace& trace, PlanReport* report, const ProgressSink& progress);

}  // namespace incipit::bench
