#include "client/cli/tenant_command.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "cache/tenants/tenant_file.h"
#include "tests/support/cli_fixture.h"
#include "transport/auth/secret_file.h"

namespace incipit {
namespace {

using testing::HasSubstr;
using testing::Not;

class TenantCommandTest : public testing::Test {
 protected:
  TenantCommandTest() {
    std::string pattern = testing::TempDir() + "/tenant.XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~TenantCommandTest() override { std::filesystem::remove_all(directory_); }
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  std::string SecretIn(const std::string& name) const {
    std::ifstream file(Path(name));
    std::string secret;
    file >> secret;
    return secret;
  }
  // A file of tenants made from what the command printed.
  std::string WriteTenants(const std::string& text) const {
    const std::string path = Path("tenants.toml");
    std::filesystem::remove(path);
    std::ofstream(path) << text;
    chmod(path.c_str(), 0600);
    return path;
  }
  std::string directory_;
};

TEST_F(TenantCommandTest, PrintsAnEntryThatANodeReadsAndKeepsTheSecretToItsFile) {
  const CliResult result = RunIncipit({"tenant", "new", "search", "--secret-file", Path("search.secret")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string secret = SecretIn("search.secret");
  EXPECT_EQ(secret.size(), 64u);
  EXPECT_THAT(result.out + result.err, Not(HasSubstr(secret.substr(0, 16))));
  const auto table = ReadTenantFile(WriteTenants(result.out));
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_NE((*table)->Find("search"), nullptr);
  EXPECT_EQ((*table)->Find("search")->roles, Role::kRead | Role::kWrite);
}

TEST_F(TenantCommandTest, NeverOverwritesASecret) {
  ASSERT_EQ(RunIncipit({"tenant", "new", "a", "--secret-file", Path("a")}).exit_code, 0);
  const std::string before = SecretIn("a");
  const CliResult again = RunIncipit({"tenant", "new", "a", "--secret-file", Path("a")});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("exists"));
  EXPECT_EQ(SecretIn("a"), before);
}

TEST_F(TenantCommandTest, BadNamesAndRolesAreRefused) {
  EXPECT_EQ(RunIncipit({"tenant", "new", "a b", "--secret-file", Path("x")}).exit_code, 1);
  EXPECT_EQ(RunIncipit({"tenant", "new", "a", "--roles", "root", "--secret-file", Path("x")}).exit_code, 2);
  EXPECT_EQ(RunIncipit({"tenant", "old", "a"}).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(Path("x")));
}

TEST_F(TenantCommandTest, ClientCommandsTakeTheSecretFromFlagOrEnvironment) {
  const CliResult made =
      RunIncipit({"tenant", "new", "ops", "--secret-file", Path("ops"), "--roles", "read,write,admin", "--json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  NodeOptions options;
  options.listen = "127.0.0.1:0";
  options.shards = 2;
  options.ram_bytes = 64 << 20;
  options.huge_pages = false;
  options.tenants_path = WriteTenants(made.json()["entry"].get<std::string>());
  options.audit = [](const std::string&) {};
  const auto node = Node::Start(options);
  ASSERT_TRUE(node.ok()) << node.status();
  const std::string address = "tcp://" + (*node)->address();
  const std::vector<std::string> put = {"put",    "--connect",           address,    "--tenant", "ops",
                                        "--text", std::string(512, 'x'), "--random", "1"};
  std::vector<std::string> with = put;
  with.insert(with.end(), {"--secret-file", Path("ops")});
  EXPECT_EQ(RunIncipit(with).exit_code, 0);
  EXPECT_EQ(RunIncipit(put, {{"INCIPIT_SECRET_FILE", Path("ops")}}).exit_code, 0);
  const CliResult without = RunIncipit(put);
  EXPECT_EQ(without.exit_code, 1);
  EXPECT_THAT(without.err, HasSubstr("--secret-file"));
  EXPECT_EQ(RunIncipit({"status", "--connect", address, "--tenant", "ops", "--secret-file", Path("ops")}).exit_code, 0);
}

}  // namespace
}  // namespace incipit
