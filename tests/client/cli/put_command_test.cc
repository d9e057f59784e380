#include "client/cli/put_command.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <fstream>

#include "tests/support/cli_fixture.h"
#include "tests/support/temp_path.h"

namespace incipit {
namespace {

using testing::HasSubstr;

class PutCommandTest : public CliNodeTest {
 protected:
  const std::vector<std::string> key_ = {"--layout", "custom:2x8", "--block-tokens", "4", "--key", "abcd"};  // 64 bytes
  std::vector<std::string> Arguments(const std::string& command, const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {command};
    arguments.insert(arguments.end(), key_.begin(), key_.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::string WriteFile(const std::string& bytes) {
    path_ = TempPath("bin");
    std::ofstream(path_, std::ios::binary) << bytes;
    return path_;
  }
  void TearDown() override {
    if (!path_.empty()) std::remove(path_.c_str());
  }

 private:
  std::string path_;
};

TEST_F(PutCommandTest, PromptIsStoredOnceAndThenPresent) {
  const std::vector<std::string> put = {"put", "--text", std::string(1024, 'x'), "--random", "1"};
  Json json = Run(put).json();
  EXPECT_EQ(json["ok"], true);
  EXPECT_EQ(json["tokens_prompt"], 256);
  EXPECT_EQ(json["blocks"], 4);
  EXPECT_EQ(json["stored"], 4);
  EXPECT_EQ(json["bytes"], 4 * 56'960);
  json = Run(put).json();
  EXPECT_EQ(json["stored"], 0);
  EXPECT_EQ(json["present"], 4);
}

TEST_F(PutCommandTest, FileIsPaddedAndComesBack) {
  const std::string path = WriteFile("hello");
  const Json json = Run(Arguments("put", {"--payload", path})).json();
  EXPECT_EQ(json["ok"], true);
  EXPECT_EQ(json["padded_bytes"], 64 - 5);
  const CliResult got = RunText(Arguments("get", {"--out", "-"}));
  EXPECT_EQ(got.exit_code, 0) << got.err;
  EXPECT_EQ(got.out, "hello" + std::string(59, '\0'));
}

TEST_F(PutCommandTest, TextSaysThatItPads) {
  const std::string path = WriteFile("hello");
  EXPECT_THAT(RunText(Arguments("put", {"--payload", path})).out, HasSubstr("padded with 59 zero bytes"));
}

TEST_F(PutCommandTest, FirstBytesUnderAKeyStay) {
  ASSERT_EQ(Run(Arguments("put", {"--random", "1"})).exit_code, 0);
  const CliResult result = Run(Arguments("put", {"--random", "2"}));
  EXPECT_EQ(result.json()["stored"], 0) << "what is already there is not even sent";
  EXPECT_EQ(Run(Arguments("get", {"--random", "1"})).exit_code, 0);
}

TEST_F(PutCommandTest, FileLargerThanTheBlocksIsRefused) {
  const std::string path = WriteFile(std::string(65, 'x'));
  const CliResult result = Run(Arguments("put", {"--payload", path}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("65 bytes, but the blocks named hold 64"));
}

TEST_F(PutCommandTest, PayloadMustBeGivenOnce) {
  EXPECT_THAT(Run(Arguments("put", {})).err, HasSubstr("either --payload FILE or --random SEED"));
  EXPECT_THAT(Run(Arguments("put", {"--payload", "x", "--random", "1"})).err, HasSubstr("either --payload"));
  EXPECT_THAT(Run(Arguments("put", {"--payload", "/nowhere"})).err, HasSubstr("--payload /nowhere: No such file"));
}

}  // namespace
}  // namespace incipit
