// Puts `status` among the commands of the binary.
#pragma once

#include <CLI/CLI.hpp>

namespace incipit {

// Runs inside app.parse(); *exit_code becomes its exit status and must outlive the parsing. So do all of these.
void AddStatusCommand(CLI::App& app, int* exit_code);

}  // namespace incipit
