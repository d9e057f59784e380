// `incipit record`.
#pragma once

#include <CLI/CLI.hpp>

namespace incipit {

// Adds the command; running it sets *exit_code.
void AddRecordCommand(CLI::App& app, int* exit_code);

}  // namespace incipit
