#include "cache/tenants/tenant_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace incipit {
namespace {

constexpr char kDigits[] = "00112233445566778899aabbccddeeff";

std::string WithSecret(const std::string& more) {
  return std::string("[[tenant]]\nname = \"a\"\nsecret = \"") + kDigits + "\"\n" + more;
}

absl::StatusOr<TenantTableRef> Parse(const std::string& text) { return ParseTenantFile(text, "t.toml", "."); }

void ExpectRefused(const std::string& text, const std::string& words) {
  const auto table = Parse(text);
  ASSERT_TRUE(absl::IsInvalidArgument(table.status())) << text;
  EXPECT_NE(table.status().message().find(words), std::string::npos) << table.status();
  EXPECT_NE(table.status().message().find("t.toml"), std::string::npos) << table.status();
  EXPECT_EQ(table.status().message().find(std::string(kDigits).substr(0, 12)), std::string::npos)
      << "shows a secret: " << table.status();
}

TEST(TenantFile, EverythingIsRead) {
  const auto table = Parse(WithSecret(R"(
roles = ["read", "admin"]
ram_quota_bytes = 1_000_000
nvme_quota_bytes = 0
cluster_ram_quota_bytes = 3_000_000
cluster_nvme_quota_bytes = 9_223_372_036_854_775_807
uids = [1001, 0]
[[tenant]]
name = "b"
secret = "ffeeddccbbaa99887766554433221100"
[[grant]]
owner = "a"
namespace = "org/model"
to = "b"
roles = ["read", "write"]
)"));
  ASSERT_TRUE(table.ok()) << table.status();
  const Tenant* a = (*table)->Find("a");
  const Tenant* b = (*table)->Find("b");
  ASSERT_TRUE(a != nullptr && b != nullptr);
  EXPECT_EQ(a->roles, Role::kRead | Role::kAdmin);
  EXPECT_EQ(a->ram_quota_bytes, 1'000'000u);
  EXPECT_EQ(a->nvme_quota_bytes, 0u);
  EXPECT_EQ(a->cluster_ram_quota_bytes, 3'000'000u);
  EXPECT_EQ(a->cluster_nvme_quota_bytes, static_cast<uint64_t>(INT64_MAX));
  EXPECT_EQ(b->roles, Role::kRead | Role::kWrite);
  EXPECT_EQ(b->ram_quota_bytes, kNoQuota);
  EXPECT_EQ(b->cluster_ram_quota_bytes, kNoQuota);
  EXPECT_EQ(b->cluster_nvme_quota_bytes, kNoQuota);
  EXPECT_EQ(a->uids, (std::vector<uint32_t>{1001, 0}));
  EXPECT_TRUE(b->uids.empty());
  ASSERT_TRUE(a->key.has_value());
  EXPECT_EQ(a->key->MacOf(AsBytes("m")), TenantKey(*DecodeSecret(kDigits)).MacOf(AsBytes("m")));
  EXPECT_EQ((*table)->RolesIn("b", "a", "org/model"), Role::kRead | Role::kWrite);
}

TEST(TenantFile, MistakesAreNamedWithTheirLineAndWithoutSecrets) {
  ExpectRefused("", "no [[tenant]]");
  ExpectRefused("[tenant]\nname = \"a\"\n", "written [[tenant]]");
  ExpectRefused("tenant = []\n", "written [[tenant]]");
  ExpectRefused("tenants = 1\n", "unknown 'tenants'");
  ExpectRefused("[[tenant]]\nname = \"a\"\n", "needs secret_file");
  ExpectRefused(WithSecret("secret_file = \"x\"\n"), "not both");
  ExpectRefused(WithSecret("role = \"read\"\n"), "t.toml:4: [[tenant]] has no key 'role'");
  ExpectRefused(WithSecret("roles = \"read\"\n"), "not an array");
  ExpectRefused(WithSecret("roles = [\"root\"]\n"), "\"read\", \"write\", \"admin\" and \"peer\"");
  ExpectRefused(WithSecret("roles = []\n"), "no role");
  ExpectRefused(WithSecret("ram_quota_bytes = -1\n"), "number of bytes");
  ExpectRefused(WithSecret("ram_quota_bytes = \"1GiB\"\n"), "number of bytes");
  ExpectRefused(WithSecret("cluster_ram_quota_bytes = -1\n"), "cluster_ram_quota_bytes is not a number of bytes");
  ExpectRefused(WithSecret("cluster_nvme_quota_bytes = 1.5\n"), "cluster_nvme_quota_bytes is not a number of bytes");
  ExpectRefused(WithSecret("cluster_quota_bytes = 1\n"), "no key 'cluster_quota_bytes'");
  ExpectRefused("[[tenant]]\nname = \"a b\"\nsecret = \"00112233445566778899aabbccddeeff\"\n", "tenant name");
  ExpectRefused(WithSecret("[[grant]]\nowner = \"a\"\nto = \"b\"\n"), "needs namespace");
  ExpectRefused(WithSecret("[[grant]]\nowner = \"a\"\nnamespace = \"m\"\nto = \"b\"\n"), "no tenant");
  ExpectRefused(WithSecret(WithSecret("")), "two tenants");
  ExpectRefused("[[tenant]]\nname = \"a\"\nsecret = \"00112233445566778899aabbccddee\"\n", "hexadecimal");
  // A quotation mark that is missing: the parser would quote the line.
  ExpectRefused(std::string("[[tenant]]\nname = \"a\"\nsecret = ") + kDigits + "\n", "not TOML");
  ExpectRefused(std::string("[[tenant]]\nsecret = \"") + kDigits + "\nname = \"a\"\n", "not TOML");
}

TEST(TenantFile, TenantOfUsersNeedsNoSecret) {
  const auto table = Parse("[[tenant]]\nname = \"a\"\nuids = [1001]\n");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_FALSE((*table)->Find("a")->key.has_value());
}

TEST(TenantFile, MistakesInUsersAreNamed) {
  ExpectRefused(WithSecret("uids = 1001\n"), "not an array");
  ExpectRefused(WithSecret("uids = [\"alice\"]\n"), "no user's number");
  ExpectRefused(WithSecret("uids = [-1]\n"), "no user's number");
  ExpectRefused(WithSecret("uids = [4294967295]\n"), "no user's number");
  ExpectRefused(WithSecret("uids = [65534]\n"), "cannot name");
  ExpectRefused("[[tenant]]\nname = \"a\"\nuids = []\n", "neither secret nor uids");
}

TEST(TenantFile, SecretFilesAreRelativeToItAndPermissionsOfAllCount) {
  std::string pattern = ::testing::TempDir() + "/tenants.XXXXXX";
  const std::string directory = mkdtemp(pattern.data());
  const std::string path = directory + "/tenants.toml", secret = directory + "/a.secret";
  std::ofstream(path) << "[[tenant]]\nname = \"a\"\nsecret_file = \"a.secret\"\n";
  std::ofstream(secret) << kDigits << "\n";
  chmod(path.c_str(), 0600);
  chmod(secret.c_str(), 0600);
  EXPECT_TRUE(ReadTenantFile(path).ok()) << ReadTenantFile(path).status();
  chmod(secret.c_str(), 0604);
  EXPECT_TRUE(absl::IsPermissionDenied(ReadTenantFile(path).status())) << ReadTenantFile(path).status();
  chmod(secret.c_str(), 0600);
  chmod(path.c_str(), 0644);
  EXPECT_TRUE(absl::IsPermissionDenied(ReadTenantFile(path).status())) << ReadTenantFile(path).status();
  EXPECT_TRUE(absl::IsNotFound(ReadTenantFile(directory + "/none").status()));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace incipit
