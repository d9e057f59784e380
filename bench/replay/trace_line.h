// One line of a trace: a JSON object with `timestamp` (ms), `input_length`, `output_length` (tokens) and `hash_ids`,
// one for each block of the prompt, the last of which may be partly filled. Other fields are ignored.
#pragma once

#include <cstdint>
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

// Any thread. Ids are integers of any length: those that 64 bits do not hold are replaced by the XXH3 of their digits.
// InvalidArgument: not such an object, or more ids than `block_tokens` leaves room for; fewer are accepted, because
// some traces name whole blocks only.
absl::StatusOr<TraceRequest> ParseTraceLine(std::string_view line, uint32_t block_tokens);

// The same into a request whose memory is used again. Its content is unspecified after an error.
absl::Status ParseTraceLineInto(std::string_view line, uint32_t block_tokens, TraceRequest* request);

// The two parsers behind it. The quick one reads the usual form, and is false for all else, which says nothing about
// the line; the thorough one reads any JSON.
bool ParseUsualTraceLine(std::string_view line, TraceRequest* request);
absl::Status ParseAnyTraceLine(std::string_view line, TraceRequest* request);

}  // namespace incipit::bench
