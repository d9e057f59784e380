#include "cache/shard/tenant_usage.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/tenants.h"

namespace incipit {
namespace {

TEST(TenantUsage, QuotasAreSharedOutEvenlyAndNoneStaysNone) {
  const auto table = testing::MakeTable({testing::MakeTenant("a", Role::kRead | Role::kWrite, 1000, kNoQuota),
                                         testing::MakeTenant("b", Role::kRead | Role::kWrite, kNoQuota, 0)});
  const std::vector<TenantQuota> quotas = QuotasOf(*table, 4, ClusterShare());
  ASSERT_EQ(quotas.size(), 2u);
  EXPECT_EQ(quotas[0].name, "a");
  EXPECT_EQ(quotas[0].ram_bytes, 250u);
  EXPECT_EQ(quotas[0].nvme_bytes, kNoQuota);
  EXPECT_EQ(quotas[1].ram_bytes, kNoQuota);
  EXPECT_EQ(quotas[1].nvme_bytes, 0u);
}

Tenant WithClusterQuota(uint64_t node_bytes, uint64_t cluster_bytes) {
  Tenant tenant = testing::MakeTenant("a", Role::kRead | Role::kWrite, node_bytes, node_bytes);
  tenant.cluster_ram_quota_bytes = tenant.cluster_nvme_quota_bytes = cluster_bytes;
  return tenant;
}

TenantQuota QuotaOf(const Tenant& tenant, uint16_t shards, const ClusterShare& share) {
  return QuotasOf(*testing::MakeTable({tenant}), shards, share)[0];
}

TEST(TenantUsage, OfAClusterQuotaAShardHasItsPartOfTheNodesShare) {
  const ClusterShare third{.own_weight = 10, .total_weight = 30};
  const TenantQuota quota = QuotaOf(WithClusterQuota(kNoQuota, 12'000), 4, third);
  EXPECT_EQ(quota.ram_bytes, 1000u);
  EXPECT_EQ(quota.nvme_bytes, 1000u);
  EXPECT_EQ(quota.lone_ram_bytes, 12'000u) << "one block has a place on each shard, however many nodes there are";
  EXPECT_EQ(quota.lone_nvme_bytes, 12'000u);
  EXPECT_EQ(quota.cluster_ram_bytes, 12'000u);
  EXPECT_EQ(quota.cluster_nvme_bytes, 12'000u);
  EXPECT_EQ(QuotaOf(WithClusterQuota(kNoQuota, 12'000), 4, {}).ram_bytes, 3000u) << "alone, or without a map";
  EXPECT_EQ(QuotaOf(WithClusterQuota(kNoQuota, kNoQuota), 4, third).ram_bytes, kNoQuota);
  EXPECT_EQ(QuotaOf(WithClusterQuota(kNoQuota, kNoQuota - 1), 1, third).ram_bytes, (kNoQuota - 1) / 3);
}

TEST(TenantUsage, OfTwoQuotasTheSmallerCounts) {
  const ClusterShare third{.own_weight = 10, .total_weight = 30};
  EXPECT_EQ(QuotaOf(WithClusterQuota(2000, 12'000), 4, third).ram_bytes, 500u);
  EXPECT_EQ(QuotaOf(WithClusterQuota(2000, 12'000), 4, third).lone_ram_bytes, 500u) << "the node's own is no softer";
  EXPECT_EQ(QuotaOf(WithClusterQuota(8000, 12'000), 4, third).ram_bytes, 1000u);
  EXPECT_EQ(QuotaOf(WithClusterQuota(8000, 12'000), 4, third).lone_ram_bytes, 2000u);
  EXPECT_EQ(QuotaOf(WithClusterQuota(8000, 0), 4, third).ram_bytes, 0u);
  EXPECT_EQ(QuotaOf(WithClusterQuota(8000, 0), 4, third).lone_ram_bytes, 0u) << "none at all, not one block";
}

TEST(TenantUsage, StatsOfATenantNameItsOwnFiguresOnly) {
  TenantUsage usage;
  usage.blocks = 3;
  usage.quota.ram_bytes = 77;
  bool found = false;
  for (const auto& [name, value] : ValuesOfTenant(usage)) {
    EXPECT_EQ(name.substr(0, 7), "tenant_") << name;
    found |= name == "tenant_ram_quota_bytes" && value == 77;
  }
  EXPECT_TRUE(found);
}

TEST(TenantUsage, StatsNameQuotasThatThereAre) {
  const auto values_of = [](const TenantQuota& quota) {
    TenantUsage usage;
    usage.quota = quota;
    const auto values = ValuesOfTenant(usage);
    return std::map<std::string, uint64_t>(values.begin(), values.end());
  };
  EXPECT_EQ(values_of({}).size(), values_of({.ram_bytes = 1}).size() - 1);
  const auto values = values_of(QuotaOf(WithClusterQuota(kNoQuota, 900), 1, {.own_weight = 1, .total_weight = 3}));
  EXPECT_EQ(values.at("tenant_ram_quota_bytes"), 300u);
  EXPECT_EQ(values.at("tenant_cluster_ram_quota_bytes"), 900u);
  EXPECT_EQ(values.at("tenant_nvme_quota_bytes"), 300u);
  EXPECT_EQ(values.at("tenant_cluster_nvme_quota_bytes"), 900u);
}

}  // namespace
}  // namespace incipit
