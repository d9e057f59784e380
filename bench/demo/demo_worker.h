// One inference worker of the demonstration, in a process of its own: it shares nothing with the others but the node.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "bench/common/json.h"
#include "cache/format/layout.h"

namespace incipit::bench {

struct DemoWorkerOptions {
  bool store = false;  // "prefill" the prompt and store its blocks; otherwise match and load them
  std::string address;
  std::string prompt_path;
  std::string layout;
};

// What one worker did.
struct DemoWorkerReport {
  uint64_t tokens_prompt = 0;
  uint64_t tokens_matched = 0;  // store: already there
  uint64_t blocks = 0;          // stored or loaded
  uint64_t bytes = 0;
  uint64_t blocks_from_nvme = 0;
  uint64_t failed_blocks = 0;  // matched but not loaded, or not stored
  uint64_t wrong_bytes = 0;
  double seconds = 0;  // in calls of the client; making and checking payload is not counted
  int64_t process_id = 0;
};

// A shipped layout by name whose groups all have the hit rule "all": otherwise what an edited prompt may restore
// depends on which windows and states were kept, which says little about the node. InvalidArgument otherwise.
absl::StatusOr<Layout> DemoLayout(const std::string& name);

// Reads the prompt, derives tokens, keys and payload, and stores or loads. Unavailable: the node.
absl::StatusOr<DemoWorkerReport> RunDemoWorker(const DemoWorkerOptions& options);

// What a worker process prints, and its reading by the process that started it.
Json DemoWorkerJson(const DemoWorkerReport& report);
absl::StatusOr<DemoWorkerReport> ParseDemoWorkerJson(const std::string& text);

}  // namespace incipit::bench
