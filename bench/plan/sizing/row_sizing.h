// What one policy at one size means in bytes, machines, seconds and money.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/plan/sizing/burst_meter.h"
#include "bench/plan/sizing/distribution.h"
#include "bench/plan/sizing/sizing_options.h"
#include "bench/plan/sizing/tier_replay.h"
#include "eviction/cost_model.h"

namespace incipit::bench {

// Plain data. Ratios are of the tokens of all prompts. Where the workload has no time span, has_rates is false and all
// that is per second, hour or day is 0.
struct RowSizing {
  bool has_rates = false;
  // The tier as a whole, with what arenas and the space for reclaim take beside the blocks.
  double ram_percent = 0;
  uint64_t ram_bytes = 0, nvme_bytes = 0;
  double ram_hit_ratio = 0, nvme_hit_ratio = 0;
  // Nodes: for the bytes alone; so that the SLO holds as well; the same with one of them lost, and its memory spared.
  uint32_t nodes_for_capacity = 0, nodes_for_slo = 0, nodes_with_one_lost = 0;
  bool slo_in_reach = true;         // false: computing alone takes longer at that percentile
  double slo_ttft_s = 0;            // what nodes_for_slo keeps to
  double hit_ratio_after_loss = 0;  // of nodes_with_one_lost the moment after one went
  // With nodes_for_slo nodes.
  Rates read_per_node, store_per_node;  // loads by engines; stores by engines
  double declined_ratio = 0;            // of the hits' tokens: loading would take longer than computing
  Distribution ttft_with_s, ttft_without_s;
  // Of all engines' hosts together, busy with coding on average, in every second of the workload.
  double codec_cores = 0;
  // Wear of all nodes together.
  double written_bytes_per_day = 0, endurance_bytes_per_day = 0;  // 0 without NVMe
  double nvme_life_years = 0;                                     // at that rate; 0 = nothing is written
  // Money, in US dollars.
  double dollars_per_hour = 0;             // nodes_for_slo, their memory and drives, and coding
  double dollars_per_hour_with_spare = 0;  // nodes_with_one_lost
  double saved_tokens_per_hour = 0;
  double dollars_per_million_tokens = 0;  // dollars_per_hour over what it saves; 0 if it saves none
  double saved_gpu_hours_per_hour = 0;
  double saved_dollars_per_hour = 0;  // worth of these GPU hours, before dollars_per_hour

  bool EnduranceHolds() const { return written_bytes_per_day <= endurance_bytes_per_day; }
  double NetDollarsPerHour() const { return saved_dollars_per_hour - dollars_per_hour; }
};

// `served`: by ReplayTiers with these sizes. Formulas:
//   bytes        = blocks x block_tokens x bytes_per_token / ratio of the codec; RAM / 0.95 (arena), NVMe / fill limit
//   of NvmeOptions TTFT         = TtftModel; nodes add up their network (80 % of it is payload) and their drives wear
//   = blocks written x bytes x 86400 / seconds of the workload, against DWPD x bytes of all drives after a loss = a hit
//   of h blocks keeps q + q^2 + ... + q^h of them, q the share of nodes that are left money        = nodes + RAM + NVMe
//   an hour; GPU seconds saved = FLOPs of loaded hits / FLOPs/s
// O(requests) for each number of nodes tried, at most 2 log2(kMaxPlannedNodes). REQUIRES: CheckSizing is ok. Any
// thread.
RowSizing SizeRow(const PrefixTrace& trace, const std::vector<ServedRequest>& served, uint64_t capacity_blocks,
                  uint64_t ram_blocks, const CostModel& cost, const SizingOptions& options);

// Blocks of RAM in a tier of `capacity_blocks`: at least one.
uint64_t RamBlocksOf(uint64_t capacity_blocks, double ram_percent);

}  // namespace incipit::bench
