#include "cache/tenants/tenant_table.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

const TenantKey kKey(AsBytes("0123456789abcdef"));

Tenant Named(std::string name, RoleSet roles = Role::kRead | Role::kWrite) {
  return {.name = std::move(name), .key = kKey, .roles = roles};
}

TEST(TenantTable, TenantHasItsRolesInItsOwnNamespacesAndNoneElsewhere) {
  const auto table = *TenantTable::Make({Named("a", Role::kRead), Named("b")}, {});
  EXPECT_EQ(table->RolesIn("a", "a", "m"), RoleSet(Role::kRead));
  EXPECT_TRUE(table->RolesIn("a", "b", "m").empty());
  EXPECT_TRUE(table->RolesIn("a", "nobody", "m").empty());
  EXPECT_TRUE(table->RolesIn("nobody", "nobody", "m").empty());
  EXPECT_TRUE(table->RolesIn("nobody", "a", "m").empty());
}

TEST(TenantTable, GrantGivesWhatItAndTheTenantsOwnRolesHaveInCommon) {
  const auto table = *TenantTable::Make(
      {Named("owner"), Named("both"), Named("reader", Role::kRead)},
      {{"owner", "m", "both", Role::kRead | Role::kWrite}, {"owner", "m", "reader", Role::kRead | Role::kWrite}});
  EXPECT_EQ(table->RolesIn("both", "owner", "m"), Role::kRead | Role::kWrite);
  EXPECT_EQ(table->RolesIn("reader", "owner", "m"), RoleSet(Role::kRead));
  EXPECT_TRUE(table->RolesIn("both", "owner", "other").empty());
  EXPECT_TRUE(table->RolesIn("owner", "both", "m").empty()) << "a grant goes one way";
}

TEST(TenantTable, GrantsOfOneModelAndOfAllAddUp) {
  const auto table = *TenantTable::Make({Named("owner"), Named("to")},
                                        {{"owner", kAnyModel, "to", Role::kRead}, {"owner", "m", "to", Role::kWrite}});
  EXPECT_EQ(table->RolesIn("to", "owner", "m"), Role::kRead | Role::kWrite);
  EXPECT_EQ(table->RolesIn("to", "owner", "x"), RoleSet(Role::kRead));
}

TEST(TenantTable, AdminReachesEverybodysNamespacesAsAdminOnly) {
  const auto table = *TenantTable::Make({Named("a"), Named("ops", RoleSet::All())}, {});
  EXPECT_EQ(table->RolesIn("ops", "a", "m"), RoleSet(Role::kAdmin));
  EXPECT_EQ(table->RolesIn("ops", "ops", "m"), RoleSet::All());
}

TEST(TenantTable, WhatMakesNoSenseIsRefused) {
  EXPECT_FALSE(TenantTable::Make({}, {}).ok());
  EXPECT_FALSE(TenantTable::Make({Named("a"), Named("a")}, {}).ok());
  EXPECT_FALSE(TenantTable::Make({Named("a", RoleSet())}, {}).ok());
  EXPECT_FALSE(TenantTable::Make({Named("a"), Named("b")}, {{"a", "m", "c", Role::kRead}}).ok());
  EXPECT_FALSE(TenantTable::Make({Named("a"), Named("b")}, {{"c", "m", "a", Role::kRead}}).ok());
  EXPECT_FALSE(TenantTable::Make({Named("a"), Named("b")}, {{"a", "m", "a", Role::kRead}}).ok());
  EXPECT_FALSE(TenantTable::Make({Named("a"), Named("b")}, {{"a", "m", "b", Role::kAdmin}}).ok());
  EXPECT_FALSE(TenantTable::Make({Named("a"), Named("b")}, {{"a", "m", "b", RoleSet()}}).ok());
  EXPECT_FALSE(TenantTable::Make({Named("a"), Named("b")}, {{"a", "", "b", Role::kRead}}).ok());
  std::vector<Tenant> many;
  for (size_t i = 0; i <= kMaxTenants; ++i) many.push_back(Named(std::to_string(i)));
  EXPECT_FALSE(TenantTable::Make(many, {}).ok());
}

TEST(TenantTable, UsersStandForTheTenantsThatListThem) {
  Tenant users{.name = "users", .uids = {1001, 0}};  // and no secret at all
  const auto table = TenantTable::Make({users, Named("a")}, {});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_TRUE((*table)->Lists("users", 1001));
  EXPECT_TRUE((*table)->Lists("users", 0));
  EXPECT_FALSE((*table)->Lists("users", 1002));
  EXPECT_FALSE((*table)->Lists("a", 1001));
  EXPECT_FALSE((*table)->Lists("nobody", 1001));
}

TEST(TenantTable, UsersThatMakeNoSenseAreRefused) {
  EXPECT_FALSE(TenantTable::Make({{.name = "a"}}, {}).ok()) << "nobody could be it";
  EXPECT_FALSE(TenantTable::Make({{.name = "a", .uids = {1001, kOverflowUid}}}, {}).ok());
  EXPECT_TRUE(TenantTable::Make({{.name = "a", .uids = std::vector<uint32_t>(kMaxUidsPerTenant, 1)}}, {}).ok());
  EXPECT_FALSE(TenantTable::Make({{.name = "a", .uids = std::vector<uint32_t>(kMaxUidsPerTenant + 1, 1)}}, {}).ok());
}

TEST(TenantTable, NamesThatCouldForgeALogLineAreRefused) {
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\nb"), std::string("a\"b"),
                                 std::string("a/b"), std::string(129, 'a')}) {
    EXPECT_FALSE(CheckTenantName(bad).ok()) << bad;
  }
  EXPECT_TRUE(CheckTenantName("Team-1.search_x").ok());
  EXPECT_TRUE(CheckTenantName(std::string(128, 'a')).ok());
}

}  // namespace
}  // namespace incipit
