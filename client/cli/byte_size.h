// Sizes in bytes as people type them: on the command line, in the environment and in configuration files.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace incipit {

// "4096", "512MiB", "1.5 TiB", "4GB", "1g". Units, in any case: B; KiB MiB GiB TiB PiB and the single letters k m g t p
// are powers of 1024; KB MB GB TB PB are powers of 1000. A fraction is rounded down to whole bytes. InvalidArgument
// (negative, unknown unit, over 64 bits) says what was found and gives an example.
absl::StatusOr<uint64_t> ParseByteSize(std::string_view text);

// Adds an option that takes such a size. Its help shows the present value of *bytes as the default.
CLI::Option* AddByteSizeOption(CLI::App* command, const std::string& names, uint64_t* bytes,
                               const std::string& description);

}  // namespace incipit
