// `incipit tenant new`.
#pragma once

#include <CLI/CLI.hpp>

namespace incipit {

void AddTenantCommand(CLI::App& app, int* exit_code);

}  // namespace incipit
