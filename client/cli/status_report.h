// What `incipit status` shows, made from the numbers that each shard reports. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/json_output.h"
#include "incipit/client.h"

namespace incipit {

// The numbers of one shard, or of all together.
class StatusValues {
 public:
  explicit StatusValues(const ShardStats& shard);
  // Sums; of recovered, nvme_present and nvme_state what holds for the node: the least, any, and the worst; of quotas
  // of the whole cluster, of which every shard tells, the largest.
  static StatusValues TotalOf(const std::vector<ShardStats>& shards);

  bool Has(const std::string& name) const;
  bool IsOfTenantOnly() const;                  // of one that may not see the node
  uint64_t Get(const std::string& name) const;  // 0 if the node does not report it
  double MatchHitRatio() const;                 // 0..1; 0 without matches
  double RamWasteRatio() const;                 // of what is allocated, what nobody asked for
  uint64_t Errors() const;                      // of clients' protocol, devices and checksums
  std::string NvmeState() const;                // "none", "recovering", "serving", "suspended"
  // All values by name in the node's order, nvme_state as text, recovered and nvme_present as booleans, then
  // match_hit_ratio and ram_waste_ratio.
  Json ToJson() const;

 private:
  StatusValues() = default;
  std::vector<std::pair<std::string, uint64_t>> values_;
};

Json StatusJson(const std::string& address, const NodeInfo& node, const std::vector<ShardStats>& shards);
std::string StatusText(const std::string& address, const NodeInfo& node, const std::vector<ShardStats>& shards);

}  // namespace incipit
