// The flags of `plan` that say what machines, prices and wishes there are.
#pragma once

#include <CLI/CLI.hpp>

#include "bench/plan/sizing/sizing_options.h"

namespace incipit {

// Adds them in groups. `options` must outlive the parsing.
void AddPlanSizingOptions(CLI::App* command, bench::SizingOptions* options);

}  // namespace incipit
