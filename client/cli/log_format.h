// The form of log lines. Messages in the source are written as key=value, beginning with event=NAME; values with
// spaces stand in double quotes.
#pragma once

#include <spdlog/formatter.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace incipit {

enum class LogFormat {
  kText,  // time=2026-01-31T08:15:00.123Z level=info event=node_started shards=4
  kJson,  // {"time":"2026-01-31T08:15:00.123Z","level":"info","event":"node_started","shards":"4"}
};

// One line per message. All values are JSON strings: a field never changes its type from line to line.
std::unique_ptr<spdlog::formatter> MakeLogFormatter(LogFormat format);

// The pairs of a message. What is no key=value goes, in order, into one pair named "message".
std::vector<std::pair<std::string, std::string>> ParseLogMessage(std::string_view message);

// Sends the log of this process to standard error. `level`: trace, debug, info, warn, error or off.
// InvalidArgument: another level or format ("text" or "json").
absl::Status SetUpLogging(const std::string& level, const std::string& format);

}  // namespace incipit
