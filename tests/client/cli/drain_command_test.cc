#include <gmock/gmock.h>

#include "client/cli/drain_command.h"
#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

class DrainCommandTest : public CliNodeTest {};

TEST_F(DrainCommandTest, ANodeInNoClusterSaysSo) {
  const CliResult result = RunText({"drain"});
  EXPECT_EQ(result.exit_code, kExitError);
  EXPECT_THAT(result.err, HasSubstr("in no cluster"));
  EXPECT_EQ(Run({"drain", "--tell"}).json()["error"]["code"], "FAILED_PRECONDITION");
}

TEST_F(DrainCommandTest, ANodeThatNoMapHasIsNotFound) {
  const CliResult result = RunText({"drain", "00000000000000a1", "--timeout-ms", "300"});
  EXPECT_EQ(result.exit_code, kExitError);
  EXPECT_THAT(result.err, HasSubstr("map"));
}

TEST(DrainCommandFlags, ContradictionsAndNonsenseAreRefused) {
  EXPECT_EQ(RunIncipit({"drain", "--cancel", "--exit"}).exit_code, kExitUsage);
  EXPECT_EQ(RunIncipit({"drain", "--tell", "--cancel"}).exit_code, kExitUsage);
  EXPECT_EQ(RunIncipit({"drain", "--timeout", "0"}).exit_code, kExitUsage);
  EXPECT_EQ(RunIncipit({"drain", "--timeout", "100000"}).exit_code, kExitUsage);
  EXPECT_EQ(RunIncipit({"drain", "--bandwidth", "much"}).exit_code, kExitUsage);
  const CliResult nobody = RunIncipit({"drain", "--cluster", "tcp://127.0.0.1:1"});
  EXPECT_EQ(nobody.exit_code, kExitError);
  EXPECT_THAT(nobody.err, HasSubstr("NODE"));
}

TEST(DrainCommandFlags, NobodyThereIsAnError) {
  const CliResult result = RunIncipit({"drain", "--connect", "tcp://127.0.0.1:1", "--timeout-ms", "500"});
  EXPECT_EQ(result.exit_code, kExitError);
}

}  // namespace
}  // namespace incipit
