// What a benchmark is asked to measure, and what it measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/common/json.h"
#include "bench/common/percentiles.h"
#include "cache/base/bytes.h"

namespace incipit::bench {

struct BenchOptions {
  std::string op = "load";  // load, store, match, hash, seal, idle, overload, auth, codec, scale
  std::string lane = "tcp";
  std::string layout = "deepseek-v3-bf16";
  uint32_t block_tokens = 0;  // 0 = the layout's usual block
  std::string tier = "ram";   // or nvme: where loaded blocks come from
  bool sealed = false;        // blocks are sealed by the client: load, store
  std::string connect;        // address of a running node; empty = a private one
  std::string tenant = "default";
  std::string secret_file;  // of the tenant, where that node has tenants
  std::string work_dir;
  uint16_t shards = 1;         // of the private node: on two cores, one worker and one shard fill the machine
  uint64_t tokens = 0;         // length of the prompt; 0 = as many as data_bytes takes, or 1,048,576 for match and hash
  uint32_t pairs = 7;          // measurements of the thing and of its ceiling, taken in turn
  uint64_t data_bytes = kGiB;  // moved in one measurement: far more than any cache holds
  uint64_t buffer_bytes = 256 * kMiB;  // memory that loads land in
  uint64_t batch_bytes = 64 * kMiB;    // payload of one call of the client
  // Op codec: what it measures, of SegmentCoderNames(); empty = bf16-lossless. Op load, store: of the client; empty =
  // none.
  std::string codec;
  uint32_t codec_threads = 0;   // of that client; 0 = by the processors
  std::string data = "spread";  // or gaussian, or (op codec) a file of bf16 rows (fp8-lossless: rows of 656 bytes)
  std::string kernel;           // of that codec; empty = the best here
  double seconds = 10;          // that idle, overload and scale watch
  uint16_t nodes = 4;           // op scale: of the largest cluster
};

// One quantity and its ceiling, measured in turn. "Better" is the larger for rates, the smaller for times.
struct PairedSamples {
  Percentiles values, ceilings;
  Percentiles ratios;  // of each pair, 0..1 where the ceiling is one: how near the value comes to it
  void AddRates(double value, double ceiling);
  void AddTimes(double value, double ceiling);
};

struct BenchReport {
  BenchOptions options;
  std::string unit;
  std::string ceiling_name;  // empty: there is none
  PairedSamples samples;
  std::optional<double> target_ratio;  // at least
  std::optional<double> target_value;  // at most, in `unit`
  std::string latency_of;
  Percentiles latency_us;
  double client_cpu_s = 0, server_cpu_s = 0;  // for `cpu_bytes`
  uint64_t cpu_bytes = 0;
  uint64_t wrong_bytes = 0;
  uint64_t failures = 0;  // blocks missed, refused or from the wrong tier
  Json details = Json::object();
  Json contract =
      Json::object();  // of an operation that has its own: replaces the fields of the same names in the JSON

  bool ok() const { return wrong_bytes == 0 && failures == 0 && samples.values.size() > 0; }
};

// The contract of `incipit bench --json`; fields may be added, never renamed.
Json BenchJson(const BenchReport& report);
std::string BenchText(const BenchReport& report);

}  // namespace incipit::bench
