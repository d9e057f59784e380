#include "client/cli/record_command.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cache/node/http_server.h"
#include "client/cli/json_output.h"

namespace incipit {
namespace {

std::string Page(int next, int missed, const std::string& lines) {
  return "{\"next\": " + std::to_string(next) + ", \"missed\": " + std::to_string(missed) + ", \"partial\": 0}\n" +
         lines;
}

TEST(RecordCommandTest, WritesPagesUntilTheFileIsLargeEnough) {
  const auto answer = [](uint64_t from) -> HttpResponse {
    if (from == 0) return {.body = Page(2, 0, "{\"a\": 1}\n{\"a\": 2}\n")};
    return {.body = Page(4, 1, "{\"a\": 4}\n")};
  };
  absl::StatusOr<std::unique_ptr<HttpServer>> server =
      HttpServer::Start("127.0.0.1:0", {{"/recording", nullptr, answer}});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string path = testing::TempDir() + "/record_command_test.jsonl";
  CLI::App app;
  int exit_code = -1;
  AddRecordCommand(app, &exit_code);
  testing::internal::CaptureStdout();
  app.parse("record --json --max-bytes 25 --out " + path + " --http " + (*server)->address());
  const Json told = Json::parse(testing::internal::GetCapturedStdout());
  EXPECT_EQ(exit_code, kExitOk);
  EXPECT_EQ(told["requests"], 3);
  EXPECT_EQ(told["missed"], 1);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "{\"a\": 1}\n{\"a\": 2}\n{\"a\": 4}\n");
  std::filesystem::remove(path);
}

TEST(RecordCommandTest, WithoutANodeItFails) {
  CLI::App app;
  int exit_code = -1;
  AddRecordCommand(app, &exit_code);
  testing::internal::CaptureStderr();
  app.parse("record --http 127.0.0.1:1 --out /nowhere/at/all");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("no answer"), std::string::npos);
  EXPECT_EQ(exit_code, kExitError);
}

}  // namespace
}  // namespace incipit
