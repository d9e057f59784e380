// What an operator says of machines, prices and wishes, so that hits become bytes, seconds and money.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "bench/plan/sizing/plan_codec.h"

namespace incipit::bench {

// For which rows of a plan tiers are replayed; a replay takes about twice as long as the row itself.
enum class SizingScope : uint8_t {
  kAuto,  // all rows, but none for a workload of over kMaxSizedReferences
  kNone,
  kAll,
};
inline constexpr uint64_t kMaxSizedReferences = 1'000'000;  // blocks of all prompts together

// Plain data. Defaults are assumptions about common machines and rents in US dollars; docs/planner.md lists them.
struct SizingOptions {
  SizingScope scope = SizingScope::kNone;
  double bytes_per_token = 70'272;  // of the layout

  // How clients store: fewer bytes, decoded by so many threads of an engine while the rest arrives.
  PlanCodec codec;
  uint32_t codec_threads = 2;
  double StoredBytesPerToken() const { return bytes_per_token / codec.ratio; }

  // The engine.
  std::string gpu = "h100";
  uint32_t gpus = 8;                // that compute one prompt together
  double prefill_tokens_per_s = 0;  // of all of them, uncached, for short prompts; 0 = as the type of GPU gives
  double client_gbit_per_s = 200;   // into one engine
  double gpu_dollars_per_hour = 0;  // of one; 0 = as the type of GPU gives

  // A node of the tier.
  double ram_percent = 10;  // of the tier's blocks that are in RAM; the rest is on NVMe
  uint64_t node_ram_bytes = uint64_t{512} << 30;
  uint64_t node_nvme_bytes = 15'360'000'000'000;
  double node_gbit_per_s = 100;    // network
  double node_nvme_gb_per_s = 12;  // reading, all drives of the node
  double endurance_dwpd = 1;       // drive writes per day
  double endurance_tbw = 0;        // TB that a node's drives take in their life; 0 = by drive writes per day
  double nvme_life_years = 5;

  // Prices.
  double node_dollars_per_hour = 0.30;  // without memory and drives
  double ram_dollars_per_gb_month = 0.15;
  double nvme_dollars_per_tb_month = 3;
  double core_dollars_per_hour = 0.02;  // of an engine's host, for coding

  // What is promised. 0: that the tier's own bandwidth adds at most kSlackOfSlo to what an endless one gives.
  double slo_ttft_ms = 0;
  double slo_percentile = 99;
};
inline constexpr double kSlackOfSlo = 0.05;
inline constexpr uint32_t kMaxPlannedNodes = 4096;

// InvalidArgument names the flag and what is allowed.
absl::Status CheckSizing(const SizingOptions& options);

}  // namespace incipit::bench
