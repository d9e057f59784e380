// A trace of requests in the usual form for KV caches: one JSON object a line with `timestamp` (ms), `input_length`,
// `output_length` (tokens) and `hash_ids`, one per block of the prompt, the last of which may be partly filled.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace incipit::bench {

struct TraceRequest {
  uint64_t timestamp_ms = 0;
  uint64_t input_tokens = 0;
  uint64_t output_tokens = 0;
  std::vector<uint64_t> ids;  // by block
};

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

// One line. InvalidArgument: not such an object, or more ids than `block_tokens` leaves room for; fewer are accepted,
// because some traces name whole blocks only.
absl::StatusOr<TraceRequest> ParseTraceLine(std::string_view line, uint32_t block_tokens);

// All lines; blank ones are skipped. NotFound: no such file. InvalidArgument names the line.
absl::StatusOr<Trace> ReadTrace(const std::string& path, const TraceOptions& options);
absl::StatusOr<Trace> ParseTrace(std::string_view text, const TraceOptions& options);

}  // namespace incipit::bench
