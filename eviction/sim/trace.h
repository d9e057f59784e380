// Requests of a recorded or generated workload, as the simulator takes them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace incipit {

struct TraceRequest {
  uint64_t timestamp_ms = 0;
  uint64_t input_tokens = 0;
  // One for each block of the prompt, in order; equal hashes mean equal blocks after equal beginnings.
  std::vector<uint64_t> block_hashes;
};
using Trace = std::vector<TraceRequest>;

inline constexpr size_t kMaxTraceBlocks = 1 << 20;  // of one request

// Reads lines of {"timestamp": MS, "input_length": TOKENS, "hash_ids": [N, ...]}; other fields are ignored, so are
// empty lines. InvalidArgument with the line's number if a field is missing or no number. Any thread.
absl::StatusOr<Trace> ParseTrace(std::string_view text);

struct ConversationOptions {
  uint64_t seed = 1;
  int sessions = 400;
  int turns = 8;          // at most, per session
  int first_blocks = 12;  // of a session's first prompt, on average; one common block before them
  int blocks_per_turn = 4;
};

// Conversations that interleave, each turn of which repeats all before it. Same seed, same trace. Any thread.
Trace MakeConversationTrace(const ConversationOptions& options, uint64_t block_tokens);

}  // namespace incipit
