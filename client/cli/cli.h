// The binary `incipit`, as a function.
#pragma once

#include <string>
#include <vector>

#include "client/cli/option_sources.h"

namespace incipit {

// Parses, runs the command chosen, gives the exit status. `arguments` are those behind the program's name. Once per
// process and thread, because `serve` takes over signals and the log.
int RunCli(const std::vector<std::string>& arguments, const GetEnvironment& environment);

}  // namespace incipit
