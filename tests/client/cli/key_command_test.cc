#include "client/cli/key_command.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "incipit/sealing_key.h"
#include "tests/support/cli_fixture.h"
#include "tests/support/temp_path.h"

namespace incipit {
namespace {

using testing::HasSubstr;

class KeyCommandTest : public CliNodeTest {
 protected:
  ~KeyCommandTest() override {
    unlink(key_.c_str());
    unlink(other_.c_str());
  }
  const std::string key_ = TempPath("key"), other_ = TempPath("other"), prompt_ = std::string(512, 'x');
};

TEST_F(KeyCommandTest, NewKeysArePrivateAndNotReplaced) {
  const CliResult made = RunIncipit({"key", "new", key_, "--json"});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(made.json()["key_id"], (*SealingKey::FromFile(key_))->Id());
  struct stat about {};
  ASSERT_EQ(stat(key_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
  EXPECT_EQ(RunIncipit({"key", "new", key_}).exit_code, 1);
  EXPECT_THAT(RunIncipit({"key", "id", key_}).out, HasSubstr(std::string(made.json()["key_id"])));
  EXPECT_EQ(RunIncipit({"key", "old", key_}).exit_code, 2);
}

TEST_F(KeyCommandTest, BlocksPutWithAKeyAreThereForThatKeyOnly) {
  ASSERT_EQ(RunIncipit({"key", "new", key_}).exit_code, 0);
  ASSERT_EQ(RunIncipit({"key", "new", other_}).exit_code, 0);
  const CliResult put = Run({"put", "--text", prompt_, "--random", "1", "--sealing-key-file", key_});
  ASSERT_EQ(put.exit_code, 0) << put.err;
  EXPECT_EQ(Run({"get", "--text", prompt_, "--random", "1", "--sealing-key-file", key_}).exit_code, 0);
  EXPECT_EQ(Run({"get", "--text", prompt_, "--sealing-key-file", other_}).exit_code, 3);
  EXPECT_EQ(Run({"get", "--text", prompt_}).exit_code, 3);
  // From the environment, as any flag.
  const CliResult get = RunIncipit({"get", "--text", prompt_, "--connect", "tcp://" + node_->address()},
                                   {{"INCIPIT_SEALING_KEY_FILE", key_}});
  EXPECT_EQ(get.exit_code, 0) << get.err;
}

TEST_F(KeyCommandTest, FilesOfOthersAreRefusedByName) {
  ASSERT_EQ(RunIncipit({"key", "new", key_}).exit_code, 0);
  chmod(key_.c_str(), 0644);
  const CliResult get = Run({"get", "--text", prompt_, "--sealing-key-file", key_});
  EXPECT_EQ(get.exit_code, 1);
  EXPECT_THAT(get.err, HasSubstr("chmod 600 " + key_));
}

}  // namespace
}  // namespace incipit
