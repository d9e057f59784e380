// What each tenant's blocks take on one shard, and how much they may. Plain numbers of the shard's thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cache/shard/soft_quota.h"
#include "cache/tenants/cluster_share.h"
#include "cache/tenants/tenant_table.h"

namespace incipit {

// Place of a tenant in the shard's list of them, which only grows. 0: all who are not listed.
using TenantIndex = uint32_t;
inline constexpr TenantIndex kUnlistedTenants = 0;

// One tenant's limits on one shard.
struct TenantQuota {
  std::string name;
  uint64_t ram_bytes = kNoQuota;
  uint64_t nvme_bytes = kNoQuota;
  // A record of up to so many bytes may be the tenant's only one here, though it is over the above.
  uint64_t lone_ram_bytes = 0, lone_nvme_bytes = 0;
  uint64_t cluster_ram_bytes = kNoQuota, cluster_nvme_bytes = kNoQuota;  // of all nodes, for reports
};

// The shares of one shard of `shard_count` of a node that has `share` of its cluster: of the node's quota and the
// node's share of the cluster's the smaller one. Keys are spread evenly, so each shard gets the same.
std::vector<TenantQuota> QuotasOf(const TenantTable& tenants, uint16_t shard_count, const ClusterShare& share);

struct TenantUsage {
  TenantQuota quota;
  SoftQuota ram_limit, nvme_limit;  // follow it
  uint64_t blocks = 0;
  uint64_t ram_bytes = 0;           // memory held, rounding included, and memory promised to stores
  uint64_t demoting_bytes = 0;      // of it, what will be free when writes that are under way end
  uint64_t nvme_bytes = 0;          // records that are on NVMe only
  uint64_t nvme_writing_bytes = 0;  // that demotions under way will add
  uint64_t evicted_for_quota = 0, refused_for_quota = 0, denied = 0;
};

// A copy for metrics.
struct TenantReport {
  std::string name;
  TenantUsage usage;
};

// What Stats answers to a tenant that may not see the whole node; quotas only where there are some.
std::vector<std::pair<std::string, uint64_t>> ValuesOfTenant(const TenantUsage& usage);

}  // namespace incipit
