// Runs commands of the binary inside a test, and a node for them to talk to.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cache/node/node.h"
#include "client/cli/cli.h"
#include "client/cli/json_output.h"

namespace incipit {

struct CliResult {
  int exit_code = -1;
  std::string out, err;
  Json json() const { return Json::parse(out, nullptr, /*allow_exceptions=*/false); }
};

inline CliResult RunIncipit(const std::vector<std::string>& arguments,
                            const std::map<std::string, std::string>& environment = {}) {
  CliResult result;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  result.exit_code = RunCli(arguments, [&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
  result.out = testing::internal::GetCapturedStdout();
  result.err = testing::internal::GetCapturedStderr();
  return result;
}

// A node of two shards, RAM only, on a free port.
class CliNodeTest : public testing::Test {
 protected:
  void SetUp() override {
    NodeOptions options;
    options.listen = "127.0.0.1:0";
    options.shards = 2;
    options.ram_bytes = 64 << 20;
    options.huge_pages = false;
    absl::StatusOr<std::unique_ptr<Node>> node = Node::Start(options);
    ASSERT_TRUE(node.ok()) << node.status();
    node_ = *std::move(node);
  }
  // Runs a command against the node, with --json.
  CliResult Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--connect", "tcp://" + node_->address(), "--json"});
    return RunIncipit(arguments);
  }
  // The same for people.
  CliResult RunText(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--connect", "tcp://" + node_->address()});
    return RunIncipit(arguments);
  }

  std::unique_ptr<Node> node_;
};

}  // namespace incipit
