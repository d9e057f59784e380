// Reads a trace of any size line by line, in memory of one line.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/common/progress.h"
#include "bench/replay/trace_line.h"

namespace incipit::bench {

inline constexpr size_t kMaxTraceLineBytes = size_t{256} << 20;  // longer lines are malformed
inline constexpr size_t kShownMalformedLines = 10;               // of all that were counted

struct TraceReadOptions {
  uint32_t block_tokens = 512;
  bool strict = false;        // the first malformed line ends the reading with its error
  uint64_t max_requests = 0;  // 0 = all
};

struct TraceReadSummary {
  uint64_t lines = 0;
  uint64_t bytes = 0;
  uint64_t requests = 0;
  uint64_t malformed_lines = 0;
  std::vector<std::string> malformed;  // "line N: what", of the first kShownMalformedLines
};

// Called for each request, in the file's order; an error ends the reading with it.
using TraceVisitor = std::function<absl::Status(const TraceRequest& request)>;

// Blank lines are skipped. InvalidArgument: a malformed line, if strict; or not one request, which says why. One
// thread.
absl::StatusOr<TraceReadSummary> ReadTraceFrom(std::istream& input, const TraceReadOptions& options,
                                               const TraceVisitor& visit,
                                               const std::function<void(uint64_t bytes)>& progress = {});
// The same from a file, whose name goes into errors. NotFound: it cannot be read.
absl::StatusOr<TraceReadSummary> ReadTraceFile(const std::string& path, const TraceReadOptions& options,
                                               const TraceVisitor& visit, const ProgressSink& progress = {});

}  // namespace incipit::bench
