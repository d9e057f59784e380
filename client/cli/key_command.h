// `incipit key`: makes and names the keys that clients seal blocks with.
#pragma once

#include <CLI/CLI.hpp>

namespace incipit {

// The callback writes the exit status to *exit_code.
void AddKeyCommand(CLI::App& app, int* exit_code);

}  // namespace incipit
