#include "client/cli/json_output.h"

#include <iostream>

namespace incipit {
namespace {

std::string Dump(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void PrintJson(const Json& value) { std::cout << Dump(value, 2) << std::endl; }

void PrintJsonLine(const Json& value) { std::cout << Dump(value, -1) << std::endl; }

int ReportError(const std::string& command, const absl::Status& status, bool json) {
  const std::string message(status.message().data(), status.message().size());
  std::cerr << "incipit " << command << ": " << message << std::endl;
  if (json) PrintJson({{"error", {{"code", absl::StatusCodeToString(status.code())}, {"message", message}}}});
  return kExitError;
}

}  // namespace incipit
