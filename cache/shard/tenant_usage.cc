#include "cache/shard/tenant_usage.h"

namespace incipit {
namespace {

uint64_t ShareOf(uint64_t quota_bytes, uint16_t shard_count) {
  return quota_bytes == kNoQuota ? kNoQuota : quota_bytes / shard_count;
}

}  // namespace

std::vector<TenantQuota> QuotasOf(const TenantTable& tenants, uint16_t shard_count) {
  std::vector<TenantQuota> quotas;
  for (const Tenant& tenant : tenants.tenants()) {
    quotas.push_back({.name = tenant.name,
                      .ram_bytes = ShareOf(tenant.ram_quota_bytes, shard_count),
                      .nvme_bytes = ShareOf(tenant.nvme_quota_bytes, shard_count)});
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
  if (usage.quota.ram_bytes != kNoQuota) values.emplace_back("tenant_ram_quota_bytes", usage.quota.ram_bytes);
  if (usage.quota.nvme_bytes != kNoQuota) values.emplace_back("tenant_nvme_quota_bytes", usage.quota.nvme_bytes);
  return values;
}

}  // namespace incipit
