// A whole trace in memory, as a replay needs it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/replay/trace_line.h"

namespace incipit::bench {

struct TraceOptions {
  uint32_t block_tokens = 512;  // that one id stands for
  // Ids that name a block's own tokens rather than the prompt up to its end: each is replaced by a hash of its parent
  // and itself, so that equal ids again mean equal openings.
  bool rekey = false;
  uint64_t max_requests = 0;  // 0 = all
};

// Plain data; immutable once read.
struct Trace {
  std::vector<TraceRequest> requests;
  uint64_t unique_blocks = 0;
  uint64_t block_references = 0;
  uint64_t input_tokens = 0;
  uint64_t longest_chain = 0;  // blocks of the longest request
};

// All lines; blank ones are skipped. NotFound: no such file. InvalidArgument names the line, or says that there is no
// request.
absl::StatusOr<Trace> ReadTrace(const std::string& path, const TraceOptions& options);
absl::StatusOr<Trace> ParseTrace(std::string_view text, const TraceOptions& options);

}  // namespace incipit::bench
