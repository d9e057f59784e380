// `incipit drain`: gives a node's blocks to the others and takes it out of its cluster.
#pragma once

#include <CLI/CLI.hpp>

namespace incipit {

// Adds the command; its exit status goes to *exit_code.
void AddDrainCommand(CLI::App& app, int* exit_code);

}  // namespace incipit
