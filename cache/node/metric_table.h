// Which metrics a shard has: family, labels and where in its report the value stands. docs/operations.md lists them.
#pragma once

#include <cstdint>
#include <span>

#include "cache/shard/shard_counters.h"

namespace incipit {

enum class MetricKind : uint8_t { kCounter, kGauge };

// One time series of every shard. Rows of one family stand together and share kind and help (given by the first).
struct MetricRow {
  const char* family;  // without "incipit_"
  MetricKind kind;
  const char* help;    // nullptr: as the row before
  const char* labels;  // "tier=ram,lane=tcp"; empty = only the shard
  uint64_t (*value)(const ShardReport& report);
};
std::span<const MetricRow> ShardMetricRows();

// Time from a request's arrival to its answer, by verb.
struct LatencyRow {
  const char* verb;
  const LatencyHistogram ShardCounters::*histogram;
};
std::span<const LatencyRow> ShardLatencyRows();

}  // namespace incipit
