// The demonstration: what the cache does for workers that share a long prompt, across processes and a kill -9.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/common/json.h"
#include "bench/common/progress.h"
#include "bench/demo/demo_worker.h"

namespace incipit::bench {

struct DemoOptions {
  std::string directory = ".";  // whose text files make the prompt
  std::string layout = "deepseek-v4.1-flash";
  std::string work_dir;
  uint16_t shards = 2;
  uint64_t max_payload_bytes = 768ull << 20;  // the prompt is cut so that its blocks fit
  double prefill_tokens_per_s = 30'000;       // of the engine that would otherwise compute the prompt
};

struct DemoStep {
  std::string name;    // stable: "store", "load", "load-edited", "load-after-crash"
  std::string worker;  // "A" ...
  std::string tells;   // for people: what happened
  DemoWorkerReport report;
  uint64_t tokens_expected = 0;  // to be matched
  bool ok = false;
};

struct DemoReport {
  DemoOptions options;
  uint64_t files = 0;
  uint64_t prompt_bytes = 0;
  std::string edited_file;
  double settle_seconds = 0;   // from the last load before the kill until nothing was left to write
  double restart_seconds = 0;  // until the node served again
  std::vector<DemoStep> steps;

  uint64_t WrongBytes() const;
  // Every step matched exactly what it had to and every byte was right.
  bool ok() const;
};

// Starts a node and four workers as processes. Call from a thread that outlives it. Errors: the node or a worker could
// not run at all; a step that went wrong is in the report.
absl::StatusOr<DemoReport> RunDemo(const DemoOptions& options, const ProgressSink& progress);

// The contract of `incipit demo --json`; fields may be added, never renamed.
Json DemoJson(const DemoReport& report);
std::string DemoText(const DemoReport& report);

}  // namespace incipit::bench
