// Puts `get` among the commands of the binary.
#pragma once

#include <CLI/CLI.hpp>

namespace incipit {

// See AddStatusCommand.
void AddGetCommand(CLI::App& app, int* exit_code);

}  // namespace incipit
