#include "client/cli/serve_command.h"

#include <gmock/gmock.h>

#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

// Whole lives of a node, with signals and restarts, are in tests/cli/run_cli.py.

TEST(ServeCommandTest, ListeningForAllWithoutConsentIsRefused) {
  const CliResult result =
      RunIncipit({"serve", "--listen", "0.0.0.0:0", "--http", "none", "--ram", "16MiB", "--shards", "1", "--json"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("--insecure"));
  EXPECT_EQ(result.json()["error"]["code"], "FAILED_PRECONDITION");
}

TEST(ServeCommandTest, TooLittleMemoryNamesTheFlag) {
  const CliResult result =
      RunIncipit({"serve", "--listen", "127.0.0.1:0", "--http", "none", "--ram", "1MiB", "--shards", "4"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("ram"));
}

TEST(ServeCommandTest, HttpAddressInUseIsRefusedBeforeTheNodeStarts) {
  NodeOptions options;
  options.listen = "127.0.0.1:0";
  options.shards = 1;
  options.ram_bytes = 16 << 20;
  options.huge_pages = false;
  const absl::StatusOr<std::unique_ptr<Node>> other = Node::Start(options);
  ASSERT_TRUE(other.ok()) << other.status();
  const CliResult result = RunIncipit({"serve", "--listen", "127.0.0.1:0", "--http", (*other)->address()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("--http " + (*other)->address()));
}

}  // namespace
}  // namespace incipit
