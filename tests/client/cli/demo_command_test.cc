#include "client/cli/demo_command.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "bench/demo/demo_worker.h"
#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

class DemoCommandTest : public CliNodeTest {
 protected:
  bench::DemoWorkerReport Worker(const std::string& role, const std::string& prompt) {
    const std::string path = testing::TempDir() + "/demo_command_test." + std::to_string(getpid());
    std::ofstream(path, std::ios::binary) << prompt;
    const CliResult result = RunIncipit({"demo", "--worker", role, "--address", "tcp://" + node_->address(), "--prompt",
                                         path, "--layout", "deepseek-v4.1-flash"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const absl::StatusOr<bench::DemoWorkerReport> report = bench::ParseDemoWorkerJson(result.out);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(bench::DemoWorkerReport());
  }
};

// 256 bytes of text are one block of 64 tokens.
std::string Prompt(size_t blocks) {
  std::string text;
  for (size_t i = 0; i < blocks * 64; ++i) text += std::to_string(1000 + i);
  return text;
}

TEST_F(DemoCommandTest, WorkerLoadsWhatAnotherStored) {
  EXPECT_EQ(Worker("store", Prompt(3) + "tail").blocks, 3u);
  const bench::DemoWorkerReport loaded = Worker("load", Prompt(3) + "tail");
  EXPECT_EQ(loaded.tokens_prompt, 193u);
  EXPECT_EQ(loaded.tokens_matched, 192u);
  EXPECT_EQ(loaded.blocks, 3u);
  EXPECT_EQ(loaded.bytes, 3u * 56'960);
  EXPECT_EQ(loaded.wrong_bytes, 0u);
  EXPECT_EQ(loaded.failed_blocks, 0u);
}

TEST_F(DemoCommandTest, EditedPromptMatchesUpToTheEdit) {
  Worker("store", Prompt(3));
  std::string edited = Prompt(3);
  edited[300] ^= 1;
  EXPECT_EQ(Worker("load", edited).tokens_matched, 64u);
}

TEST(DemoFlagsTest, DirectoryWithoutTextIsAnError) {
  const CliResult result = RunIncipit({"demo", "--dir", "/nonexistent"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("--dir"));
}

TEST(DemoFlagsTest, HelpHidesTheWorkersFlags) {
  const CliResult result = RunIncipit({"demo", "--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("--prefill-rate"));
  EXPECT_EQ(result.out.find("--worker"), std::string::npos);
}

}  // namespace
}  // namespace incipit
