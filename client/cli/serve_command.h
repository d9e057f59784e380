// Puts `serve` among the commands of the binary: the node itself.
#pragma once

#include <CLI/CLI.hpp>

namespace incipit {

// See AddStatusCommand. Parsing returns when the node has stopped; a hung device ends the process by _exit.
void AddServeCommand(CLI::App& app, int* exit_code);

}  // namespace incipit
