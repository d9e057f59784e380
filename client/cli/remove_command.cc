#include "client/cli/remove_command.h"

#include <iostream>
#include <memory>

#include "cache/base/status_macros.h"
#include "client/cli/block_chain.h"
#include "client/cli/common_options.h"
#include "client/cli/json_output.h"
#include "fmt/format.h"

namespace incipit {
namespace {

struct Settings {
  ConnectOptions connect;
  BlockChainOptions blocks;
};

absl::StatusOr<int> Run(const Settings& settings) {
  ASSIGN_OR_RETURN(const BlockChain chain, MakeBlockChain(settings.blocks));
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, ConnectTo(settings.connect, chain.model, chain.layout));
  RemoveRequest request;
  for (const ChainBlock& block : chain.blocks) {
    request.blocks.push_back({.group = block.group, .depth_tokens = block.depth_tokens, .key = block.key.bytes()});
  }
  ASSIGN_OR_RETURN(const StatusResult result, client->Remove(std::move(request)));
  const uint64_t removed = result.Count(BlockStatus::kOk);
  const uint64_t missing = result.Count(BlockStatus::kMiss);
  const uint64_t failed = result.status.size() - removed - missing;
  if (settings.connect.json) {
    PrintJson({{"ok", failed == 0},
               {"blocks", result.status.size()},
               {"removed", removed},
               {"missing", missing},
               {"failed", failed}});
  } else {
    std::cout << fmt::format("{} blocks removed, {} were not there\n", removed, missing);
    if (failed > 0) {
      std::cout << fmt::format("{} may come back: the node did not answer in time, or its device failed\n", failed);
    }
  }
  if (failed > 0) return kExitError;
  return removed > 0 ? kExitOk : kExitMiss;
}

}  // namespace

void AddRemoveCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command = app.add_subcommand("remove", "remove the blocks of a prompt, or one block, for good");
  AddConnectOptions(command, &settings->connect);
  AddBlockChainOptions(command, &settings->blocks);
  command->footer(std::string(kBlockChainHelp) +
                  "\nBlocks that other prompts with the same opening use are removed for them too.\n"
                  "\nExamples:\n"
                  "  incipit remove --file prompt.txt\n"
                  "  incipit remove --layout custom:61x1152 --key 5f0c2a --json\n\n"
                  "JSON: ok, blocks, removed, missing, failed.\n"
                  "Exit status: 0 if something was removed, 3 if nothing was there, 1 on an error.");
  command->callback([settings, exit_code] {
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("remove", result.status(), settings->connect.json);
  });
}

}  // namespace incipit
