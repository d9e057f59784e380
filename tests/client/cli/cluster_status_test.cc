// Commands on a cluster of two nodes of this process, given one of them as a seed.
#include "client/cli/cluster_status.h"

#include <gmock/gmock.h>

#include "cluster/membership/cluster_map_json.h"
#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

class ClusterStatusTest : public CliNodeTest {
 protected:
  void SetUp() override {
    CliNodeTest::SetUp();
    NodeOptions options;
    options.listen = "127.0.0.1:0";
    options.shards = 1;
    options.ram_bytes = 64 << 20;
    options.huge_pages = false;
    options.node_name = "second";
    absl::StatusOr<std::unique_ptr<Node>> node = Node::Start(options);
    ASSERT_TRUE(node.ok()) << node.status();
    second_ = *std::move(node);
    map_.epoch = 7;
    map_.nodes.resize(3);
    map_.nodes[0] = {.id = 1, .zone = "rack-1", .addresses = {"tcp://" + node_->address()}};
    map_.nodes[1] = {.id = 2, .addresses = {"tcp://" + second_->address()}};
    map_.nodes[2] = {.id = 3, .state = NodeState::kGone, .addresses = {"tcp://127.0.0.1:1"}};
    const PublishedMapRef published = MakePublishedMap(map_.epoch, EncodeClusterMap(map_));
    node_->PublishMap(published);
    second_->PublishMap(published);
  }
  CliResult RunOnCluster(std::vector<std::string> arguments, bool json = true) {
    arguments.insert(arguments.end(), {"--cluster", "tcp://" + node_->address(), "--timeout-ms", "20000"});
    if (json) arguments.emplace_back("--json");
    return RunIncipit(arguments);
  }
  ClusterMap map_;
  std::unique_ptr<Node> second_;
};

TEST_F(ClusterStatusTest, BlocksGoToTheirOwnersAndAreFound) {
  const std::string text(64 * 1024, 'x');
  EXPECT_EQ(RunOnCluster({"put", "--text", text, "--random", "1"}).exit_code, 0);
  const CliResult got = RunOnCluster({"get", "--text", text, "--random", "1"});
  EXPECT_EQ(got.exit_code, 0) << got.err;
  EXPECT_EQ(got.json()["wrong_bytes"], 0);
  const CliResult matched = RunOnCluster({"match", "--text", text});
  EXPECT_EQ(matched.json()["tokens_matched"], matched.json()["tokens_prompt"]);
  const Json nodes = RunOnCluster({"status"}).json()["nodes"];
  EXPECT_GT(nodes[0]["total"]["blocks"].get<int>(), 0);
  EXPECT_GT(nodes[1]["total"]["blocks"].get<int>(), 0);
  EXPECT_EQ(RunOnCluster({"remove", "--text", text}).exit_code, 0);
  EXPECT_EQ(RunOnCluster({"get", "--text", text}).exit_code, 3);
}

TEST_F(ClusterStatusTest, NodesAreListedWithWhatEachReports) {
  const Json json = RunOnCluster({"status"}).json();
  EXPECT_EQ(json["epoch"], 7);
  ASSERT_EQ(json["nodes"].size(), 3u);
  EXPECT_EQ(json["nodes"][0]["zone"], "rack-1");
  EXPECT_EQ(json["nodes"][1]["name"], "second");
  EXPECT_EQ(json["nodes"][1]["answers"], true);
  EXPECT_EQ(json["nodes"][2]["state"], "gone");
  EXPECT_EQ(json["nodes"][2]["answers"], false);
  const CliResult text = RunOnCluster({"status"}, /*json=*/false);
  EXPECT_THAT(text.out, HasSubstr("cluster at epoch 7: 3 nodes, 2 of them serving"));
  EXPECT_THAT(text.out, HasSubstr("second"));
}

TEST_F(ClusterStatusTest, ANodeThatIsAwayIsListedWithTheReason) {
  const std::string address = second_->address();
  ASSERT_TRUE(second_->Stop(10'000).ok());
  second_.reset();
  const CliResult result =
      RunIncipit({"status", "--cluster", "tcp://" + node_->address(), "--timeout-ms", "2000", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["nodes"][0]["answers"], true);
  EXPECT_EQ(result.json()["nodes"][1]["answers"], false);
  EXPECT_NE(result.json()["nodes"][1]["error"].get<std::string>(), "");
}

TEST_F(ClusterStatusTest, OneNodesStatusSaysWhichClusterItIsIn) {
  EXPECT_EQ(Run({"status"}).json()["cluster"],
            Json({{"epoch", 7}, {"nodes", 3}, {"nodes_serving", 2}, {"state", "serving"}}));
  EXPECT_THAT(RunText({"status"}).out, HasSubstr("epoch 7: 3 nodes, 2 serving; this node is serving"));
}

TEST(ClusterStatusText, ATenantSeesWhatItHasAndMayHaveOnEachNodeAndInAll) {
  ClusterReport report;
  report.map = std::make_shared<ClusterMap>();
  for (uint64_t id = 1; id <= 2; ++id) {
    NodeReport& entry = report.nodes.emplace_back();
    entry.node = {.id = id, .addresses = {"tcp://a"}};
    entry.shards = {{.values = {{"tenant_blocks", 41},
                                {"tenant_ram_bytes", 1024},
                                {"tenant_ram_quota_bytes", 3072},
                                {"tenant_cluster_ram_quota_bytes", 6144}}}};
  }
  const std::string text = ClusterStatusText(report);
  EXPECT_THAT(text, testing::ContainsRegex("41 +1 KiB +3 KiB"));
  EXPECT_THAT(text, HasSubstr("In all 2 KiB of 6 KiB RAM, 0 bytes of - NVMe"));
}

TEST_F(ClusterStatusTest, SeedsThatGiveNoMapAreAnErrorThatNamesTheFlag) {
  const CliResult result =
      RunIncipit({"match", "--text", std::string(4096, 'x'), "--cluster", "tcp://127.0.0.1:1", "--timeout-ms", "300"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("--cluster"));
  EXPECT_EQ(RunIncipit({"match", "--text", "x", "--cluster", "tcp://a:1", "--connect", "tcp://b:1"}).exit_code, 2);
}

}  // namespace
}  // namespace incipit
