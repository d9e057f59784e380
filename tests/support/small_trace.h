// A few hundred requests of conversations that interleave: enough for policies to differ, small enough to be quick.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace incipit {

inline constexpr uint32_t kSmallTraceBlockTokens = 512;

struct SmallTraceRequest {
  uint64_t timestamp_ms = 0;
  uint64_t input_tokens = 0;
  std::vector<uint64_t> ids;
};

// One common block, then what 40 conversations have said so far. Always the same.
inline std::vector<SmallTraceRequest> SmallTraceRequests() {
  std::mt19937_64 random(7);  // NOLINT: the same on every run
  std::vector<std::vector<uint64_t>> sessions(40, std::vector<uint64_t>{1});
  std::vector<SmallTraceRequest> requests;
  uint64_t next_id = 2, time_ms = 0;
  for (int i = 0; i < 600; ++i) {
    std::vector<uint64_t>& session = sessions[random() % (i % 3 == 0 ? 40 : 8)];
    if (session.size() > 40) session = {1};
    for (uint64_t added = 1 + random() % 4; added > 0; --added) session.push_back(next_id++);
    time_ms += random() % 2000;
    requests.push_back({time_ms, session.size() * kSmallTraceBlockTokens - random() % 100, session});
  }
  return requests;
}

// The same as a trace file; returns its path.
inline std::string WriteSmallTrace(const std::string& name) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name, ".jsonl");
  std::ofstream file(path);
  for (const SmallTraceRequest& request : SmallTraceRequests()) {
    file << absl::StrCat("{\"timestamp\": ", request.timestamp_ms, ", \"input_length\": ", request.input_tokens,
                         ", \"output_length\": 9, \"hash_ids\": [", absl::StrJoin(request.ids, ", "), "]}\n");
  }
  return path;
}

}  // namespace incipit
