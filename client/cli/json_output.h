// What commands print for scripts. Field names are a contract: add, never rename.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"

namespace incipit {

// Keeps fields in the order they were written, so that people can read the output too.
using Json = nlohmann::ordered_json;

// To standard output, indented, with a newline at the end, flushed. Bytes that are not UTF-8 become U+FFFD.
void PrintJson(const Json& value);
// The same on one line, for streams of objects.
void PrintJsonLine(const Json& value);

// Exit statuses of all commands but those that say otherwise in their help.
inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitMiss = 3;

// "incipit put: message" on standard error and, with `json`, {"error": {"code", "message"}} on standard output.
// Gives kExitError.
int ReportError(const std::string& command, const absl::Status& status, bool json);

}  // namespace incipit
