// Makes requests from sessions: people and agents whose prompts grow from turn to turn.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "bench/replay/trace_reader.h"

namespace incipit::bench {

// A quantity whose logarithm is normal: half of all draws are below the median; sigma of 0 makes it constant.
struct LogNormal {
  double median = 0;
  double sigma = 0;
  double most = 1e18;
};

// One kind of session. Times in seconds, sizes in tokens.
struct SessionProfile {
  double start_s = 0, end_s = 3600;  // of arrivals
  double sessions_per_s = 1;
  // Openings that sessions share: system prompts, templates, documents, repositories. Each session takes one; the first
  // is the most popular, the k-th as popular as 1/k.
  uint32_t shared_openings = 1;
  uint32_t shared_tokens = 0;
  double commits_per_s = 0;  // each changes a shared opening from a random place to its end
  LogNormal first_tokens;    // of the session's own in its first prompt
  double turns = 1;          // on average, geometric
  LogNormal turn_tokens;     // of each further prompt, beside the answer before
  LogNormal output_tokens;
  LogNormal pause_s;  // until the next turn
  // Of so many turns one ends with a person who thinks, the others with a tool that runs; 0 = no tools.
  double steps_per_pause = 0;
  LogNormal tool_s;
};

// Sessions of all profiles, interleaved in order of time. Same seed and profiles, same requests. `visit` as in
// GenerateWorkload. Memory: 8 bytes for each block of a session that is under way. Any thread.
absl::Status GenerateSessions(const std::vector<SessionProfile>& profiles, uint64_t seed, uint32_t block_tokens,
                              const TraceVisitor& visit);

}  // namespace incipit::bench
