#include "client/cli/common_options.h"

#include <gmock/gmock.h>

#include "client/layouts/layouts.h"
#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

class CommonOptionsTest : public CliNodeTest {};

TEST_F(CommonOptionsTest, ConnectsToARunningNode) {
  ConnectOptions options;
  options.address = "tcp://" + node_->address();
  const auto client = ConnectTo(options, "m", *CustomLayout(1, 8, 4));
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->node().shard_count, 2);
}

TEST_F(CommonOptionsTest, NodeThatIsNotThereIsNamedWithAdvice) {
  ConnectOptions options;
  options.address = "tcp://" + node_->address();
  ASSERT_TRUE(node_->Stop(10'000).ok());
  options.timeout_ms = 300;
  const auto client = ConnectTo(options, "m", *CustomLayout(1, 8, 4));
  ASSERT_FALSE(client.ok());
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("--connect " + options.address));
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("incipit serve"));
}

TEST(ConnectOptionsTest, FlagsFillThem) {
  CLI::App app;
  ConnectOptions options;
  AddConnectOptions(&app, &options);
  app.parse(std::vector<std::string>{"--json", "7", "--timeout-ms", "t", "--tenant", "tcp://a:1", "--connect"});
  EXPECT_EQ(options.address, "tcp://a:1");
  EXPECT_EQ(options.tenant, "t");
  EXPECT_EQ(options.timeout_ms, 7u);
  EXPECT_TRUE(options.json);
}

}  // namespace
}  // namespace incipit
