#include "client/cli/status_command.h"

#include <gmock/gmock.h>

#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

class StatusCommandTest : public CliNodeTest {};

TEST_F(StatusCommandTest, JsonShowsEveryShard) {
  const CliResult result = Run({"status"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = result.json();
  EXPECT_EQ(json["node"]["shards"], 2);
  ASSERT_EQ(json["shards"].size(), 2u);
  EXPECT_EQ(json["shards"][0]["shard"], 0);
  EXPECT_EQ(json["shards"][1]["shard"], 1);
  EXPECT_EQ(json["total"]["nvme_state"], "none");
}

TEST_F(StatusCommandTest, StoredBlocksAreCounted) {
  ASSERT_EQ(Run({"put", "--text", std::string(2048, 'x'), "--random", "1"}).exit_code, 0);
  const Json json = Run({"status"}).json();
  EXPECT_EQ(json["total"]["blocks"], 8);
  EXPECT_EQ(json["total"]["blocks_stored_total"], 8);
  EXPECT_GT(json["total"]["ram_requested_bytes"].get<uint64_t>(), 8u * 56'960);
}

TEST_F(StatusCommandTest, TextIsATable) {
  const CliResult result = RunText({"status"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("RAM used"));
  EXPECT_THAT(result.out, HasSubstr("\ntotal"));
}

TEST_F(StatusCommandTest, NodeThatIsNotThereIsAnErrorInBothForms) {
  ASSERT_TRUE(node_->Stop(10'000).ok());
  const CliResult result = Run({"status", "--timeout-ms", "300"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("incipit status: --connect"));
  EXPECT_TRUE(result.json()["error"].contains("code")) << result.out;
}

}  // namespace
}  // namespace incipit
