#include "client/cli/top/top_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/algorithm/container.h"
#include "cluster/membership/cluster_map_json.h"
#include "tests/support/cli_fixture.h"
#include "tests/support/small_trace.h"
#include "tests/support/temp_path.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

class TopCommandTest : public CliNodeTest {
 protected:
  CliResult Top(std::vector<std::string> more, const std::string& timeout_ms = "20000") {
    std::vector<std::string> arguments = {"top", "--once", "--timeout-ms", timeout_ms};
    arguments.insert(arguments.end(), more.begin(), more.end());
    if (!absl::c_linear_search(more, "--interval-ms")) {
      arguments.insert(arguments.end(), {"--interval-ms", "100"});
    }
    return RunIncipit(arguments);
  }
  std::string Address() const { return "tcp://" + node_->address(); }
};

TEST_F(TopCommandTest, OnceJsonTellsNodesTenantsAndPrefixes) {
  ASSERT_EQ(Run({"put", "--text", std::string(64 * 1024, 'x'), "--random", "1"}).exit_code, 0);
  ASSERT_EQ(Run({"get", "--text", std::string(64 * 1024, 'x'), "--random", "1"}).exit_code, 0);
  ASSERT_EQ(Run({"replay", "--trace", WriteSmallTrace("top"), "--requests", "50", "--json"}).exit_code, 0);
  const CliResult result = Top({"--connect", Address(), "--json", "--interval-ms", "1000"});  // two windows of heat
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = result.json();
  EXPECT_EQ(json["nodes"][0]["answers"], true);
  EXPECT_GT(json["nodes"][0]["blocks"], 0);
  EXPECT_GT(json["total"]["ram"]["used_bytes"], 0);
  EXPECT_EQ(json["tenants"][0]["tenant"], "default");
  EXPECT_GT(json["tenants"][0]["match_hit_ratio_ever"], 0.0);
  ASSERT_FALSE(json["hottest_prefixes"].empty());
  EXPECT_EQ(json["hottest_prefixes"][0]["tenant"], "default");
}

TEST_F(TopCommandTest, OneWithoutATerminalIsTextWithoutCommands) {
  const CliResult result = Top({"--nodes", Address() + ",tcp://127.0.0.1:1"}, "1000");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("2 nodes, 2 serving, 1 away"));
  EXPECT_THAT(result.out, HasSubstr("127.0.0.1:1"));
  EXPECT_EQ(result.out.find('\033'), std::string::npos);
}

TEST_F(TopCommandTest, AMapFromAFileOrFromANodeSaysWhichNodesThereAre) {
  ClusterMap map{.epoch = 9};
  map.nodes = {{.id = 1, .addresses = {Address()}}};
  const std::string path = TempPath("map");
  std::ofstream(path) << EncodeClusterMap(map);
  EXPECT_EQ(Top({"--membership", path, "--json"}).json()["epoch"], 9);
  std::filesystem::remove(path);
  node_->PublishMap(MakePublishedMap(map.epoch, EncodeClusterMap(map)));
  EXPECT_EQ(Top({"--connect", Address(), "--json"}).json()["epoch"], 9);
  EXPECT_EQ(Top({"--cluster", Address(), "--json"}).json()["nodes"][0]["answers"], true);
}

TEST_F(TopCommandTest, WithoutAMapItEndsAndSaysWhy) {
  EXPECT_EQ(Top({"--cluster", "tcp://127.0.0.1:1"}, "300").exit_code, 1);
  EXPECT_EQ(Top({"--membership", "/nowhere/map.json"}).exit_code, 1);
  const CliResult redis = Top({"--membership", "redis+unix:///nowhere?cluster=a"}, "300");
  EXPECT_EQ(redis.exit_code, 1);
  EXPECT_THAT(redis.err, HasSubstr("/nowhere"));
  EXPECT_EQ(Top({"--nodes", "a:1", "--cluster", "b:1"}).exit_code, 2);
  EXPECT_EQ(Top({"--membership-password-file", "x"}).exit_code, 2);
}

}  // namespace
}  // namespace incipit
