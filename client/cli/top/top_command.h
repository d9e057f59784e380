// `incipit top`.
#pragma once

#include <CLI/CLI.hpp>

namespace incipit {

void AddTopCommand(CLI::App& app, int* exit_code);

}  // namespace incipit
