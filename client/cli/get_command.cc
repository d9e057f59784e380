#include "client/cli/get_command.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>

#include "cache/base/status_macros.h"
#include "client/cli/block_batches.h"
#include "client/cli/block_chain.h"
#include "client/cli/block_names.h"
#include "client/cli/common_options.h"
#include "client/cli/doctor/units.h"
#include "client/cli/json_output.h"
#include "client/cli/progress_bar.h"
#include "client/cli/seeded_payload.h"
#include "fmt/format.h"

namespace incipit {
namespace {

constexpr char kStandardOutput[] = "-";

struct Settings {
  ConnectOptions connect;
  BlockChainOptions blocks;
  std::string out;
  uint64_t seed = 0;
  CLI::Option* seed_option = nullptr;
  bool to_stdout() const { return out == kStandardOutput; }
  bool check() const { return seed_option->count() > 0; }
};

struct Outcome {
  std::array<uint64_t, size_t(wire::kLastBlockStatus) + 1> counts{};
  uint64_t blocks = 0, hits_ram = 0, hits_nvme = 0, bytes = 0, wrong_bytes = 0;
  double seconds = 0;
  uint64_t hits() const { return hits_ram + hits_nvme; }
};

// Takes one batch from the node, checks it and writes it out. Misses are written as zeros, so that offsets hold.
absl::Status LoadBatch(Client* client, const BlockChain& chain, std::span<const ChainBlock> batch,
                       const Settings& settings, std::ostream* out, std::vector<uint8_t>* buffer, Outcome* outcome) {
  buffer->assign(PayloadBytesOf(chain, batch), 0);
  LoadRequest request;
  uint64_t offset = 0;
  for (const ChainBlock& block : batch) {
    const uint64_t bytes = chain.GroupOf(block).BlockBytes();
    request.items.push_back({.group = block.group,
                             .depth_tokens = block.depth_tokens,
                             .key = block.key.bytes(),
                             .buffer = {buffer->data() + offset, bytes}});
    offset += bytes;
  }
  const auto start = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const LoadResult result, client->Load(std::move(request)));
  outcome->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  offset = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    const MutableBytes payload(buffer->data() + offset, chain.GroupOf(batch[i]).BlockBytes());
    offset += payload.size();
    ++outcome->counts[static_cast<size_t>(result.status[i])];
    if (result.status[i] != BlockStatus::kOk) {
      std::memset(payload.data(), 0, payload.size());
      continue;
    }
    ++(result.tier[i] == Presence::kNvme ? outcome->hits_nvme : outcome->hits_ram);
    outcome->bytes += payload.size();
    if (settings.check()) outcome->wrong_bytes += CountWrongBytes(chain, batch[i], settings.seed, payload);
  }
  outcome->blocks += batch.size();
  if (out == nullptr) return absl::OkStatus();
  out->write(reinterpret_cast<const char*>(buffer->data()), static_cast<std::streamsize>(buffer->size()));
  return *out ? absl::OkStatus()
              : absl::UnavailableError(fmt::format("--out {}: {}", settings.out, std::strerror(errno)));
}

Json ToJson(const BlockChain& chain, const Settings& settings, const Outcome& outcome) {
  Json missed = Json::object();
  for (size_t i = 0; i < outcome.counts.size(); ++i) {
    const auto status = static_cast<BlockStatus>(i);
    if (status != BlockStatus::kOk && outcome.counts[i] > 0) missed[BlockStatusName(status)] = outcome.counts[i];
  }
  Json json = {{"hit", outcome.hits() == outcome.blocks},
               {"tokens_prompt", chain.prompt_tokens},
               {"blocks", outcome.blocks},
               {"hits", outcome.hits()},
               {"hits_ram", outcome.hits_ram},
               {"hits_nvme", outcome.hits_nvme},
               {"missed", std::move(missed)},
               {"bytes", outcome.bytes},
               {"seconds", outcome.seconds}};
  if (settings.check()) json["wrong_bytes"] = outcome.wrong_bytes;
  return json;
}

std::string ToText(const BlockChain& chain, const Settings& settings, const Outcome& outcome) {
  std::string text = fmt::format("{} of {} blocks of layout {} loaded: {} from RAM, {} from NVMe; {} in {:.3f} s\n",
                                 outcome.hits(), outcome.blocks, chain.layout.name, outcome.hits_ram, outcome.hits_nvme,
                                 FormatBytes(outcome.bytes), outcome.seconds);
  for (size_t i = 0; i < outcome.counts.size(); ++i) {
    const auto status = static_cast<BlockStatus>(i);
    if (status == BlockStatus::kOk || outcome.counts[i] == 0) continue;
    text += fmt::format("{} missed: {}\n", outcome.counts[i], BlockStatusName(status));
  }
  if (settings.check())
    text += fmt::format("{} bytes differ from those of --random {}\n", outcome.wrong_bytes, settings.seed);
  return text;
}

absl::StatusOr<int> Run(const Settings& settings) {
  if (settings.to_stdout() && settings.connect.json) {
    return absl::InvalidArgumentError("--out - and --json both want standard output; give --out a file");
  }
  ASSIGN_OR_RETURN(const BlockChain chain, MakeBlockChain(settings.blocks));
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, ConnectTo(settings.connect, chain.model, chain.layout));
  std::ofstream file;
  std::ostream* out = settings.to_stdout() ? &std::cout : nullptr;
  if (!settings.out.empty() && !settings.to_stdout()) {
    file.open(settings.out, std::ios::binary | std::ios::trunc);
    if (!file) return absl::UnavailableError(fmt::format("--out {}: {}", settings.out, std::strerror(errno)));
    out = &file;
  }
  Outcome outcome;
  std::vector<uint8_t> buffer;
  ProgressBar progress({.label = "loading",
                        .total = PayloadBytesOf(chain, chain.blocks),
                        .unit = "bytes",
                        .enabled = !settings.connect.json});
  for (const std::span<const ChainBlock> batch : CutIntoBatches(chain, kBatchBytes)) {
    RETURN_IF_ERROR(LoadBatch(client.get(), chain, batch, settings, out, &buffer, &outcome));
    progress.Add(buffer.size());
  }
  progress.Finish();
  if (out != nullptr && !out->flush()) {
    return absl::UnavailableError(fmt::format("--out {}: {}", settings.out, std::strerror(errno)));
  }
  if (settings.connect.json) {
    PrintJson(ToJson(chain, settings, outcome));
  } else {
    (settings.to_stdout() ? std::cerr : std::cout) << ToText(chain, settings, outcome) << std::flush;
  }
  if (outcome.wrong_bytes > 0) return kExitError;
  return outcome.hits() == outcome.blocks ? kExitOk : kExitMiss;
}

}  // namespace

void AddGetCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command = app.add_subcommand("get", "load the blocks of a prompt, or one block");
  AddConnectOptions(command, &settings->connect);
  AddBlockChainOptions(command, &settings->blocks);
  command->add_option("--out", settings->out, "where the bytes go; - is standard output; default: nowhere")
      ->type_name("FILE");
  settings->seed_option =
      command->add_option("--random", settings->seed, "check that the bytes are those of `put --random SEED`")
          ->type_name("SEED");
  command->footer(std::string(kBlockChainHelp) +
                  "\nExamples:\n"
                  "  incipit get --file prompt.txt --random 1\n"
                  "  incipit get --layout custom:61x1152 --key 5f0c2a --out latent.bin\n\n"
                  "Every block is verified before it counts as a hit. In --out, missed blocks are zeros.\n"
                  "JSON: hit (all of them), tokens_prompt, blocks, hits, hits_ram, hits_nvme, missed {status: count},\n"
                  "bytes, seconds; with --random wrong_bytes.\n"
                  "Exit status: 0 if all blocks were hits, 3 if some were not, 1 on an error or with wrong bytes.");
  command->callback([settings, exit_code] {
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("get", result.status(), settings->connect.json);
  });
}

}  // namespace incipit
