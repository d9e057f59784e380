// All policies by name.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "eviction/cost_model.h"
#include "eviction/policy.h"
#include "eviction/policy_peers.h"
#include "eviction/reuse_model.h"

namespace incipit {

// What policies of one thread learn with, by name; made by the first that needs it.
using SharedModels = std::map<std::string, std::shared_ptr<ReuseModel>>;

struct PolicyOptions {
  size_t capacity_blocks = 1;  // at least 1
  uint64_t seed = 1;
  bool by_flops = false;  // what `auto` strives for: FLOPs saved instead of hits
  CostModel cost;         // for gdsf, gil-cost, and auto by FLOPs
  // It hears of one touch in so many, of as large a part of the blocks: what is learned by counting fades as fast.
  uint32_t sees_one_in = 1;
  // Of the other shards that hold parts of the same prompts; null = it is alone. `part` tells owners apart.
  std::shared_ptr<PolicyPeers> peers;
  std::shared_ptr<SharedModels> models;  // null: each policy learns alone
  std::string part;
};

// What nodes run unless told otherwise.
inline constexpr const char* kDefaultPolicy = "auto";

// fifo, lru, lfu, lfu-kept, s3-fifo, sieve, arc, w-tinylfu, gdsf, gil, gil-cost, auto: in this order. Thread safe.
std::vector<std::string> PolicyNames();

// NotFound lists the known names.
absl::StatusOr<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const PolicyOptions& options);

}  // namespace incipit
