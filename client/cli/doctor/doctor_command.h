// Puts `doctor` among the commands of the binary.
#pragma once

#include <CLI/CLI.hpp>

namespace incipit {

// Adds the subcommand "doctor" to `app`. When it is chosen, its checks run inside app.parse(), the report goes to
// standard output, and *exit_code becomes 0, or 1 if a check failed. `exit_code` must outlive the parsing.
void AddDoctorCommand(CLI::App& app, int* exit_code);

}  // namespace incipit
