// What `incipit top` shows, from two looks at a cluster: levels of now, rates in between. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/json_output.h"
#include "client/cli/top/hot_prefixes.h"
#include "client/cli/top/node_sample.h"

namespace incipit {

// Keys that Match asked for and found: between the two looks, and since the start.
struct HitCounts {
  uint64_t keys = 0, hits = 0, keys_ever = 0, hits_ever = 0;
  void Add(const HitCounts& other);
  std::optional<double> Ratio() const;  // none: nothing was asked for
  std::optional<double> RatioEver() const;
};

struct NodeView {
  std::string id, name, state, address;
  bool answers = false;
  std::string error;   // why it does not
  bool whole = false;  // it tells of all of itself, as to a tenant with the role admin
  uint64_t ram_bytes = 0, ram_capacity_bytes = 0, nvme_bytes = 0, nvme_capacity_bytes = 0;
  std::string nvme_state = "none";
  uint64_t blocks = 0, sessions = 0, errors = 0;
  HitCounts matched;
  double load_bytes_per_s = 0, store_bytes_per_s = 0, keys_per_s = 0, busy_per_s = 0;
};

struct TenantView {
  std::string tenant;
  uint64_t blocks = 0, stored_bytes = 0;
  HitCounts matched;
  double load_bytes_per_s = 0, keys_per_s = 0;
};

struct TopView {
  uint64_t epoch = 0;               // 0: no map
  double seconds = 0;               // between the looks
  std::vector<NodeView> nodes;      // by name, without those that are gone
  NodeView total;                   // of those that answer
  std::vector<TenantView> tenants;  // those that ask most first
  std::vector<HotPrefix> prefixes;  // hottest first
};

// A node of which not the same shards answered both times has no rates.
TopView MakeTopView(const ClusterSample& before, const ClusterSample& now);
Json TopJson(const TopView& view);

}  // namespace incipit
