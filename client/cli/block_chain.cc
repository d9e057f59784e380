#include "client/cli/block_chain.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "cache/base/status_macros.h"
#include "client/hasher/prefix_hasher.h"
#include "fmt/format.h"

namespace incipit {
namespace {

constexpr size_t kBytesPerToken = 4;

absl::StatusOr<std::string> ReadWhole(const std::string& flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(fmt::format("{} {}: {}", flag, path, std::strerror(errno)));
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return absl::UnavailableError(fmt::format("{} {}: cannot be read", flag, path));
  return text.str();
}

absl::StatusOr<BlockKey> ParseKey(const std::string& hex) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const int lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    const int high = digit(hex[i]), low = digit(hex[i + 1]);
    if (high < 0 || low < 0) break;
    bytes.push_back(static_cast<uint8_t>(high * 16 + low));
  }
  if (bytes.empty() || bytes.size() * 2 != hex.size() || bytes.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(
        fmt::format("--key {}: expected 1 to {} bytes as pairs of hexadecimal digits", hex, kMaxKeyBytes));
  }
  return BlockKey(bytes);
}

absl::StatusOr<std::vector<uint32_t>> PromptTokens(const BlockChainOptions& options) {
  if (!options.text.empty()) return TokensOfBytes(options.text);
  if (!options.file.empty()) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadWhole("--file", options.file));
    return TokensOfBytes(bytes);
  }
  ASSIGN_OR_RETURN(const std::string text, ReadWhole("--tokens", options.tokens_file));
  absl::StatusOr<std::vector<uint32_t>> tokens = ParseTokens(text);
  if (tokens.ok()) return tokens;
  return absl::InvalidArgumentError(
      fmt::format("--tokens {}: {}", options.tokens_file, std::string(tokens.status().message())));
}

absl::Status AddKeyedBlock(const BlockChainOptions& options, BlockChain* chain) {
  ASSIGN_OR_RETURN(const BlockKey key, ParseKey(options.key));
  const std::vector<GroupSpec>& groups = chain->layout.groups;
  const auto found =
      options.group.empty() ? groups.begin() : std::find_if(groups.begin(), groups.end(), [&](const GroupSpec& group) {
        return group.name == options.group;
      });
  if (found == groups.end()) {
    std::string known;
    for (const GroupSpec& group : groups) known += (known.empty() ? "" : ", ") + group.name;
    return absl::InvalidArgumentError(
        fmt::format("--group {}: layout {} has {}", options.group, chain->layout.name, known));
  }
  const auto group = static_cast<GroupIndex>(found - groups.begin());
  chain->keys[group] = {key};
  chain->blocks.push_back({group, options.depth_tokens, key});
  return absl::OkStatus();
}

absl::Status AddPromptBlocks(const BlockChainOptions& options, BlockChain* chain) {
  ASSIGN_OR_RETURN(const std::vector<uint32_t> tokens, PromptTokens(options));
  chain->prompt_tokens = tokens.size();
  uint32_t smallest = UINT32_MAX;
  for (size_t group = 0; group < chain->layout.groups.size(); ++group) {
    const uint32_t block_tokens = chain->layout.groups[group].block_tokens;
    smallest = std::min(smallest, block_tokens);
    ASSIGN_OR_RETURN(PrefixHasher hasher, PrefixHasher::Create({.chunk_tokens = block_tokens, .salt = options.salt}));
    hasher.Append(tokens);
    chain->keys[group] = hasher.keys();
    for (size_t i = 0; i < hasher.keys().size(); ++i) {
      chain->blocks.push_back(
          {static_cast<GroupIndex>(group), static_cast<uint32_t>(i * block_tokens), hasher.keys()[i]});
    }
  }
  if (!chain->blocks.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("the prompt has {} tokens, fewer than the smallest block of layout {} ({}); give a longer prompt, or "
                  "a smaller --block-tokens",
                  tokens.size(), chain->layout.name, smallest));
}

}  // namespace

const char kBlockChainHelp[] =
    "Blocks are named by one of:\n"
    "  --text TEXT, --file FILE  a prompt; each 4 bytes count as one token (this tool has no tokenizer)\n"
    "  --tokens FILE             a prompt as decimal token ids, separated by spaces, commas or line ends\n"
    "  --key HEX                 the key of one block, as an engine gave it\n"
    "Keys of a prompt are those of PrefixHasher with SHA-256 (docs/prefix_keys.md). A block needs all of its tokens:\n"
    "what a prompt has beyond its last whole block is left out.\n";

std::vector<uint32_t> TokensOfBytes(std::string_view bytes) {
  std::vector<uint32_t> tokens((bytes.size() + kBytesPerToken - 1) / kBytesPerToken, 0);
  for (size_t i = 0; i < bytes.size(); ++i) {
    tokens[i / kBytesPerToken] |= uint32_t{static_cast<uint8_t>(bytes[i])} << (8 * (i % kBytesPerToken));
  }
  return tokens;
}

absl::StatusOr<std::vector<uint32_t>> ParseTokens(std::string_view text) {
  constexpr std::string_view kSeparators = " \t\r\n,[]";
  std::vector<uint32_t> tokens;
  size_t at = text.find_first_not_of(kSeparators);
  while (at != std::string_view::npos) {
    const size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    const std::string word(text.substr(at, end - at));
    uint32_t token = 0;
    if (!absl::SimpleAtoi(word, &token)) {
      return absl::InvalidArgumentError(
          fmt::format("token {} is '{}'; expected a number of 0 to 4294967295", tokens.size(), word.substr(0, 40)));
    }
    tokens.push_back(token);
    at = text.find_first_not_of(kSeparators, end);
  }
  return tokens;
}

absl::StatusOr<BlockChain> MakeBlockChain(const BlockChainOptions& options) {
  const int sources =
      !options.text.empty() + !options.file.empty() + !options.tokens_file.empty() + !options.key.empty();
  if (sources != 1) {
    return absl::InvalidArgumentError(
        fmt::format("give exactly one of --text, --file, --tokens and --key; {} were given", sources));
  }
  BlockChain chain;
  ASSIGN_OR_RETURN(chain.layout, options.layout.Resolve());
  chain.model = options.model.empty() ? chain.layout.name : options.model;
  chain.keys.resize(chain.layout.groups.size());
  RETURN_IF_ERROR(options.key.empty() ? AddPromptBlocks(options, &chain) : AddKeyedBlock(options, &chain));
  return chain;
}

void AddBlockChainOptions(CLI::App* command, BlockChainOptions* options) {
  AddLayoutOption(command, &options->layout);
  command->add_option("--model", options->model, "model name of the namespace; default: name of the layout")
      ->type_name("NAME");
  command->add_option("--text", options->text, "the prompt")->type_name("TEXT");
  command->add_option("--file", options->file, "file with the prompt's bytes")->type_name("FILE");
  command->add_option("--tokens", options->tokens_file, "file with the prompt's token ids")->type_name("FILE");
  command->add_option("--salt", options->salt, "cache salt that enters the prompt's keys")->type_name("TEXT");
  command->add_option("--key", options->key, "key of one block, in hexadecimal")->type_name("HEX");
  command->add_option("--group", options->group, "with --key: group of the block; default: the layout's first")
      ->type_name("NAME");
  command->add_option("--depth", options->depth_tokens, "with --key: position of the block's first token")
      ->type_name("TOKENS");
}

}  // namespace incipit
