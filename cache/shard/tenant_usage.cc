#include "cache/shard/tenant_usage.h"

#include <algorithm>

namespace incipit {
namespace {

struct Bound {
  uint64_t bytes = kNoQuota, lone_bytes = 0;
};

// A node's share of the cluster's quota may be less than a block, and become so as nodes join. Blocks that the tenant
// could store before would then be refused, on that node alone: so one block at a time has a place on each shard.
Bound BoundOf(uint64_t node_bytes, uint64_t cluster_bytes, uint16_t shard_count, const ClusterShare& share) {
  const uint64_t of_node = node_bytes == kNoQuota ? kNoQuota : node_bytes / shard_count;
  if (cluster_bytes == kNoQuota) return {of_node, 0};
  return {std::min(of_node, share.Of(cluster_bytes) / shard_count), std::min(of_node, cluster_bytes)};
}

}  // namespace

std::vector<TenantQuota> QuotasOf(const TenantTable& tenants, uint16_t shard_count, const ClusterShare& share) {
  std::vector<TenantQuota> quotas;
  for (const Tenant& tenant : tenants.tenants()) {
    const Bound ram = BoundOf(tenant.ram_quota_bytes, tenant.cluster_ram_quota_bytes, shard_count, share);
    const Bound nvme = BoundOf(tenant.nvme_quota_bytes, tenant.cluster_nvme_quota_bytes, shard_count, share);
    quotas.push_back({.name = tenant.name,
                      .ram_bytes = ram.bytes,
                      .nvme_bytes = nvme.bytes,
                      .lone_ram_bytes = ram.lone_bytes,
                      .lone_nvme_bytes = nvme.lone_bytes,
                      .cluster_ram_bytes = tenant.cluster_ram_quota_bytes,
                      .cluster_nvme_bytes = tenant.cluster_nvme_quota_bytes});
  }
  return quotas;
}

std::vector<std::pair<std::string, uint64_t>> ValuesOfTenant(const TenantUsage& usage) {
  std::vector<std::pair<std::string, uint64_t>> values = {{"tenant_blocks", usage.blocks},
                                                          {"tenant_ram_bytes", usage.ram_bytes},
                                                          {"tenant_nvme_bytes", usage.nvme_bytes},
                                                          {"tenant_evicted_for_quota_total", usage.evicted_for_quota},
                                                          {"tenant_refused_for_quota_total", usage.refused_for_quota},
                                                          {"tenant_requests_denied_total", usage.denied}};
  const auto add_quota = [&](const char* name, uint64_t bytes) {
    if (bytes != kNoQuota) values.emplace_back(name, bytes);
  };
  add_quota("tenant_ram_quota_bytes", usage.quota.ram_bytes);
  add_quota("tenant_nvme_quota_bytes", usage.quota.nvme_bytes);
  add_quota("tenant_cluster_ram_quota_bytes", usage.quota.cluster_ram_bytes);
  add_quota("tenant_cluster_nvme_quota_bytes", usage.quota.cluster_nvme_bytes);
  return values;
}

}  // namespace incipit
