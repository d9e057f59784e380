// `incipit replay`.
#pragma once

#include <CLI/CLI.hpp>

namespace incipit {

// Adds the command; running it sets *exit_code.
void AddReplayCommand(CLI::App& app, int* exit_code);

}  // namespace incipit
