// What a replay is asked to do, and what it found.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/common/percentiles.h"
#include "bench/replay/hit_account.h"
#include "bench/replay/replay_queue.h"
#include "eviction/policies.h"

namespace incipit::bench {

struct ReplayOptions {
  std::string trace_path;
  TraceOptions trace;
  uint32_t bytes_per_token = 128;
  uint16_t workers = 4;
  double speed = 0;  // 1 = at the trace's own pace, 10 = ten times as fast; 0 = as fast as possible
  ReplayStamps stamps = ReplayStamps::kNow;
  std::string connect;               // address of a running node; empty = a private one of the sizes below
  std::vector<std::string> cluster;  // or seeds of a running cluster
  uint32_t interval_ms = 0;          // length of the intervals that are reported apart too; 0 = none
  std::string tenant = "default";
  std::string secret_file;  // of the tenant, where that node has tenants
  std::string work_dir;
  uint16_t shards = 4;
  uint64_t ram_bytes = 1ull << 30;
  uint64_t nvme_bytes = 0;
  std::optional<double> ram_percent;  // of the trace's unique blocks; instead of bytes
  std::optional<double> nvme_percent;
  std::string eviction =
      kDefaultPolicy;           // policy of the private node; with connect, that of the node, for the comparison
  std::string against;          // report of `incipit plan --json` to compare with; empty = none
  double tolerance_points = 1;  // of the token hit ratio, in per cent of input tokens
};

// What was seen of the requests that ended within one interval.
struct ReplayInterval {
  HitAccount hits;
  uint64_t present_blocks = 0;  // of all blocks asked for, in the leading run or behind a gap
  uint64_t failed_requests = 0;
  uint64_t wrong_bytes = 0;
  Percentiles latency_us;

  void Merge(const ReplayInterval& other);
};

// What the workers saw, summed.
struct ReplayCounts {
  HitAccount hits;
  uint64_t failed_requests = 0;  // of a cluster: a call of theirs gave an error. With one node that ends the replay
  std::vector<ReplayInterval> intervals;  // from the start on, of interval_ms each
  uint64_t wrong_bytes = 0;
  uint64_t loaded_blocks = 0, loaded_blocks_nvme = 0, loaded_bytes = 0;
  uint64_t vanished_blocks = 0;  // matched, but not there (in time) when loaded
  uint64_t stored_blocks = 0, stored_bytes = 0;
  uint64_t present_blocks = 0;  // offered, but already there
  uint64_t refused_blocks = 0;  // busy, rejected or expired, after retries
  uint64_t busy_answers = 0;    // retried
  Percentiles latency_us, match_us, load_us, store_us;

  void Merge(const ReplayCounts& other);
};

struct ReplayReport {
  ReplayOptions options;
  ReplayCounts counts;
  uint64_t unique_blocks = 0;
  uint64_t block_bytes = 0;
  uint64_t ram_bytes = 0, nvme_bytes = 0, region_bytes = 0;  // of the private node; 0 with connect
  double seconds = 0;
  double server_cpu_s = 0;
  std::optional<double> predicted_hit_ratio;  // with `against`

  // Measured less predicted, in points.
  double Deviation() const { return 100 * (counts.hits.TokenHitRatio() - predicted_hit_ratio.value_or(0)); }
  bool AsPredicted() const {
    return !predicted_hit_ratio.has_value() || std::abs(Deviation()) <= options.tolerance_points;
  }
  bool ok() const {
    return counts.wrong_bytes == 0 && counts.failed_requests == 0 && counts.hits.requests > 0 && AsPredicted();
  }
  double GbPerSecond() const;
};

}  // namespace incipit::bench
