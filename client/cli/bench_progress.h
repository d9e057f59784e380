// Shows on a terminal what the library code of bench/ tells of its progress.
#pragma once

#include "bench/common/progress.h"

namespace incipit {

// A bar for each activity in turn; silent if standard error is not a terminal, or if `enabled` is false. The bar goes
// when the last copy of the sink does, so let go of it before printing results. One thread.
bench::ProgressSink MakeProgressSink(bool enabled);

}  // namespace incipit
