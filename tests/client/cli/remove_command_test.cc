#include "client/cli/remove_command.h"

#include <gmock/gmock.h>

#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

class RemoveCommandTest : public CliNodeTest {
 protected:
  const std::string prompt_ = std::string(512, 'x');
};

TEST_F(RemoveCommandTest, RemovedBlocksAreMissesAfterwards) {
  ASSERT_EQ(Run({"put", "--text", prompt_, "--random", "1"}).exit_code, 0);
  const CliResult result = Run({"remove", "--text", prompt_});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["removed"], 2);
  EXPECT_EQ(result.json()["missing"], 0);
  EXPECT_EQ(Run({"get", "--text", prompt_}).exit_code, 3);
}

TEST_F(RemoveCommandTest, NothingThereEndsWithThree) {
  const CliResult result = Run({"remove", "--text", prompt_});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_EQ(result.json()["missing"], 2);
}

TEST_F(RemoveCommandTest, TextCountsBoth) {
  ASSERT_EQ(Run({"put", "--text", prompt_.substr(0, 256), "--random", "1"}).exit_code, 0);
  EXPECT_THAT(RunText({"remove", "--text", prompt_}).out, HasSubstr("1 blocks removed, 1 were not there"));
}

}  // namespace
}  // namespace incipit
