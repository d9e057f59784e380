// Which blocks a command is about: those of a prompt, or one by its key.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/format/identity.h"
#include "cache/format/layout.h"
#include "client/cli/layout_option.h"

namespace incipit {

struct BlockChainOptions {
  LayoutOption layout;
  std::string model;          // empty = name of the layout
  std::string text;           // the prompt itself ...
  std::string file;           // ... or a file with its bytes ...
  std::string tokens_file;    // ... or a file with token ids ...
  std::string key;            // ... or no prompt but the key of one block, in hexadecimal
  std::string group;          // with `key`: its group; empty = the first
  uint32_t depth_tokens = 0;  // with `key`
  std::string salt;
};

// Adds --layout, --block-tokens, --model, --text, --file, --tokens, --salt, --key, --group, --depth.
void AddBlockChainOptions(CLI::App* command, BlockChainOptions* options);
// Explains them; part of each such command's footer.
extern const char kBlockChainHelp[];

struct ChainBlock {
  GroupIndex group = 0;
  uint32_t depth_tokens = 0;
  BlockKey key;
};

// Immutable once made.
struct BlockChain {
  Layout layout;
  std::string model;
  uint64_t prompt_tokens = 0;               // 0 with --key
  std::vector<std::vector<BlockKey>> keys;  // by group, in the order of the prompt
  std::vector<ChainBlock> blocks;           // the same as one list: group by group
  bool is_prompt() const { return prompt_tokens > 0; }
  const GroupSpec& GroupOf(const ChainBlock& block) const { return layout.groups[block.group]; }
};

// Reads files. InvalidArgument: none or several of the four sources, a prompt too short for any block, malformed
// tokens or key, an unknown group.
absl::StatusOr<BlockChain> MakeBlockChain(const BlockChainOptions& options);

// A stand-in for a tokenizer: each four bytes make one token, the last one padded with zeros, first byte lowest.
std::vector<uint32_t> TokensOfBytes(std::string_view bytes);
// Decimal token ids, separated by spaces, commas or line ends; brackets around them are allowed (a JSON array).
absl::StatusOr<std::vector<uint32_t>> ParseTokens(std::string_view text);

}  // namespace incipit
