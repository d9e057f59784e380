// `incipit plan`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace incipit {

// Adds the command; running it sets *exit_code.
void AddPlanCommand(CLI::App& app, int* exit_code);

// "1%,2.5 %,10" in per cent. InvalidArgument says what was found.
absl::StatusOr<std::vector<double>> ParsePercentList(const std::string& text);

}  // namespace incipit
