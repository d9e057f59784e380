#include "client/cli/match_command.h"

#include <algorithm>
#include <iostream>
#include <memory>

#include "absl/strings/escaping.h"
#include "cache/base/status_macros.h"
#include "client/cli/block_chain.h"
#include "client/cli/block_names.h"
#include "client/cli/common_options.h"
#include "client/cli/doctor/units.h"
#include "client/cli/json_output.h"
#include "client/cli/text_table.h"
#include "fmt/format.h"

namespace incipit {
namespace {

struct Settings {
  ConnectOptions connect;
  BlockChainOptions blocks;
  bool list = false;
};

uint64_t CountOf(const std::vector<Presence>& presence, Presence wanted) {
  return static_cast<uint64_t>(std::count(presence.begin(), presence.end(), wanted));
}

uint64_t HitsOf(const MatchResult& match) {
  uint64_t hits = 0;
  for (const std::vector<Presence>& group : match.presence) hits += group.size() - CountOf(group, Presence::kMiss);
  return hits;
}

// "blocks" of the JSON: every block with its key, in the order of the prompt, group by group.
Json BlockList(const BlockChain& chain, const MatchResult& match) {
  Json list = Json::array();
  std::vector<size_t> next(chain.keys.size(), 0);
  for (const ChainBlock& block : chain.blocks) {
    list.push_back({{"group", chain.GroupOf(block).name},
                    {"depth_tokens", block.depth_tokens},
                    {"key", absl::BytesToHexString(std::string(AsText(block.key.bytes())))},
                    {"tier", PresenceName(match.presence[block.group][next[block.group]++])}});
  }
  return list;
}

Json ToJson(const BlockChain& chain, const MatchResult& match, bool list) {
  Json groups = Json::array();
  for (size_t i = 0; i < chain.keys.size(); ++i) {
    const std::vector<Presence>& presence = match.presence[i];
    groups.push_back({{"name", chain.layout.groups[i].name},
                      {"block_tokens", chain.layout.groups[i].block_tokens},
                      {"blocks", presence.size()},
                      {"hits_ram", CountOf(presence, Presence::kRam)},
                      {"hits_nvme", CountOf(presence, Presence::kNvme)},
                      {"misses", CountOf(presence, Presence::kMiss)}});
  }
  Json json = {{"hit", HitsOf(match) > 0},
               {"tokens_prompt", chain.prompt_tokens},
               {"tokens_matched", match.longest_tokens()},
               {"restorable_tokens", match.restorable_tokens},
               {"ram_bytes", match.ram_bytes},
               {"nvme_bytes", match.nvme_bytes},
               {"complete", match.complete},
               {"groups", std::move(groups)}};
  if (list) json["blocks"] = BlockList(chain, match);
  return json;
}

void PrintText(const BlockChain& chain, const MatchResult& match, bool list) {
  if (chain.is_prompt()) {
    std::cout << fmt::format("{} of {} tokens can be restored: {} from RAM, {} from NVMe\n\n", match.longest_tokens(),
                             chain.prompt_tokens, FormatBytes(match.ram_bytes), FormatBytes(match.nvme_bytes));
  }
  TextTable table({"group", "block tokens", "blocks", "in RAM", "on NVMe", "missing"});
  for (size_t i = 0; i < chain.keys.size(); ++i) {
    const std::vector<Presence>& presence = match.presence[i];
    if (presence.empty()) continue;
    table.AddRow({chain.layout.groups[i].name, fmt::format("{}", chain.layout.groups[i].block_tokens),
                  fmt::format("{}", presence.size()), fmt::format("{}", CountOf(presence, Presence::kRam)),
                  fmt::format("{}", CountOf(presence, Presence::kNvme)),
                  fmt::format("{}", CountOf(presence, Presence::kMiss))});
  }
  std::cout << table.Render();
  if (!match.complete) std::cout << "\nA shard or node did not answer in time: its blocks are counted as missing.\n";
  if (!list) return;
  std::cout << "\n";
  for (const Json& block : BlockList(chain, match)) {
    std::cout << fmt::format("{:<4}  {:>9}  {}  {}\n", block["tier"].get<std::string>(),
                             block["depth_tokens"].get<uint32_t>(), block["key"].get<std::string>(),
                             block["group"].get<std::string>());
  }
}

absl::StatusOr<int> Run(const Settings& settings) {
  ASSIGN_OR_RETURN(const BlockChain chain, MakeBlockChain(settings.blocks));
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, ConnectTo(settings.connect, chain.model, chain.layout));
  MatchRequest request;
  for (const std::vector<BlockKey>& keys : chain.keys) request.groups.emplace_back(keys);
  ASSIGN_OR_RETURN(const MatchResult match, client->Match(std::move(request)));
  if (settings.connect.json) {
    PrintJson(ToJson(chain, match, settings.list));
  } else {
    PrintText(chain, match, settings.list);
  }
  const bool hit = chain.is_prompt() ? match.longest_tokens() > 0 : HitsOf(match) > 0;
  return hit ? kExitOk : kExitMiss;
}

}  // namespace

void AddMatchCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command = app.add_subcommand("match", "say how much of a prompt the node holds");
  AddConnectOptions(command, &settings->connect);
  AddBlockChainOptions(command, &settings->blocks);
  command->add_flag("--list", settings->list, "also list every block with its key and tier");
  command->footer(std::string(kBlockChainHelp) +
                  "\nExamples:\n"
                  "  incipit match --file prompt.txt\n"
                  "  incipit match --layout deepseek-v3-bf16 --tokens prompt.tokens --json\n"
                  "  incipit match --key 5f0c2a... --list\n"
                  "  incipit match --cluster tcp://10.0.0.5:9400,tcp://10.0.0.6:9400 --file prompt.txt\n\n"
                  "JSON: hit, tokens_prompt, tokens_matched (the longest restorable opening), restorable_tokens,\n"
                  "ram_bytes, nvme_bytes, complete, groups [name, block_tokens, blocks, hits_ram, hits_nvme, misses];\n"
                  "with --list also blocks [group, depth_tokens, key, tier].\n"
                  "Exit status: 0 if something can be restored, 3 if not, 1 on an error.");
  command->callback([settings, exit_code] {
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("match", result.status(), settings->connect.json);
  });
}

}  // namespace incipit
