#include "cache/shard/tenant_usage.h"

#include <gtest/gtest.h>

#include "tests/support/tenants.h"

namespace incipit {
namespace {

TEST(TenantUsage, QuotasAreSharedOutEvenlyAndNoneStaysNone) {
  const auto table = testing::MakeTable({testing::MakeTenant("a", Role::kRead | Role::kWrite, 1000, kNoQuota),
                                         testing::MakeTenant("b", Role::kRead | Role::kWrite, kNoQuota, 0)});
  const std::vector<TenantQuota> quotas = QuotasOf(*table, 4);
  ASSERT_EQ(quotas.size(), 2u);
  EXPECT_EQ(quotas[0].name, "a");
  EXPECT_EQ(quotas[0].ram_bytes, 250u);
  EXPECT_EQ(quotas[0].nvme_bytes, kNoQuota);
  EXPECT_EQ(quotas[1].ram_bytes, kNoQuota);
  EXPECT_EQ(quotas[1].nvme_bytes, 0u);
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

}  // namespace
}  // namespace incipit
