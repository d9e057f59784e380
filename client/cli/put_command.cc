#include "client/cli/put_command.h"

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

struct Settings {
  ConnectOptions connect;
  BlockChainOptions blocks;
  std::string payload_file;
  uint64_t seed = 0;
  CLI::Option* seed_option = nullptr;
};

// Gives the payload of block after block.
class PayloadSource {
 public:
  static absl::StatusOr<PayloadSource> Open(const Settings& settings, uint64_t room_bytes) {
    PayloadSource source;
    source.seed_ = settings.seed;
    const bool seeded = settings.seed_option->count() > 0;
    if (seeded == !settings.payload_file.empty()) {
      return absl::InvalidArgumentError("give either --payload FILE or --random SEED");
    }
    if (seeded) return source;
    source.file_ = std::make_unique<std::ifstream>(settings.payload_file, std::ios::binary | std::ios::ate);
    if (!*source.file_) {
      return absl::NotFoundError(fmt::format("--payload {}: {}", settings.payload_file, std::strerror(errno)));
    }
    source.file_bytes_ = static_cast<uint64_t>(source.file_->tellg());
    source.file_->seekg(0);
    if (source.file_bytes_ <= room_bytes) return source;
    return absl::InvalidArgumentError(
        fmt::format("--payload {}: {} bytes, but the blocks named hold {}; name more blocks", settings.payload_file,
                    source.file_bytes_, room_bytes));
  }

  void Fill(const BlockChain& chain, const ChainBlock& block, MutableBytes payload) {
    if (file_ == nullptr) return FillSeededPayload(chain, block, seed_, payload);
    file_->read(reinterpret_cast<char*>(payload.data()), static_cast<std::streamsize>(payload.size()));
    const auto got = static_cast<size_t>(file_->gcount());
    std::memset(payload.data() + got, 0, payload.size() - got);
    padded_bytes_ += payload.size() - got;
  }

  uint64_t padded_bytes() const { return padded_bytes_; }

 private:
  PayloadSource() = default;
  std::unique_ptr<std::ifstream> file_;  // null: seeded
  uint64_t file_bytes_ = 0;
  uint64_t seed_ = 0;
  uint64_t padded_bytes_ = 0;
};

struct Outcome {
  std::array<uint64_t, size_t(wire::kLastBlockStatus) + 1> counts{};
  uint64_t blocks = 0, bytes = 0, padded_bytes = 0;
  double seconds = 0;
  uint64_t CountOf(BlockStatus status) const { return counts[static_cast<size_t>(status)]; }
  bool AllThere() const { return CountOf(BlockStatus::kOk) + CountOf(BlockStatus::kPresent) == blocks; }
};

absl::Status StoreBatch(Client* client, const BlockChain& chain, std::span<const ChainBlock> batch,
                        PayloadSource* source, std::vector<uint8_t>* buffer, Outcome* outcome) {
  buffer->resize(PayloadBytesOf(chain, batch));
  StoreRequest request;
  uint64_t offset = 0;
  for (const ChainBlock& block : batch) {
    const MutableBytes payload(buffer->data() + offset, chain.GroupOf(block).BlockBytes());
    source->Fill(chain, block, payload);
    request.items.push_back({.group = block.group,
                             .depth_tokens = block.depth_tokens,
                             .key = block.key.bytes(),
                             .buffer = {payload.data(), payload.size()}});
    offset += payload.size();
  }
  ASSIGN_OR_RETURN(const StatusResult result, client->Store(std::move(request)));
  for (size_t i = 0; i < batch.size(); ++i) {
    ++outcome->counts[static_cast<size_t>(result.status[i])];
    if (result.status[i] == BlockStatus::kOk) outcome->bytes += chain.GroupOf(batch[i]).BlockBytes();
  }
  outcome->blocks += batch.size();
  return absl::OkStatus();
}

Json ToJson(const BlockChain& chain, const Outcome& outcome) {
  Json failed = Json::object();
  for (size_t i = 0; i < outcome.counts.size(); ++i) {
    const auto status = static_cast<BlockStatus>(i);
    const bool good = status == BlockStatus::kOk || status == BlockStatus::kPresent;
    if (!good && outcome.counts[i] > 0) failed[BlockStatusName(status)] = outcome.counts[i];
  }
  return {{"ok", outcome.AllThere()},
          {"tokens_prompt", chain.prompt_tokens},
          {"blocks", outcome.blocks},
          {"stored", outcome.CountOf(BlockStatus::kOk)},
          {"present", outcome.CountOf(BlockStatus::kPresent)},
          {"failed", std::move(failed)},
          {"bytes", outcome.bytes},
          {"padded_bytes", outcome.padded_bytes},
          {"seconds", outcome.seconds}};
}

void PrintText(const BlockChain& chain, const Outcome& outcome) {
  std::cout << fmt::format("{} blocks of layout {}: {} stored ({}), {} already there\n", outcome.blocks,
                           chain.layout.name, outcome.CountOf(BlockStatus::kOk), FormatBytes(outcome.bytes),
                           outcome.CountOf(BlockStatus::kPresent));
  if (outcome.padded_bytes > 0) {
    std::cout << fmt::format("padded with {} zero bytes behind the end of the file\n", outcome.padded_bytes);
  }
  if (const uint64_t conflicts = outcome.CountOf(BlockStatus::kConflict); conflicts > 0) {
    std::cout << fmt::format("{} not stored: other bytes are there under the same key, and stay\n", conflicts);
  }
  if (const uint64_t busy = outcome.CountOf(BlockStatus::kBusy); busy > 0) {
    std::cout << fmt::format("{} not stored: the node has no room for them now\n", busy);
  }
  if (const uint64_t rejected = outcome.CountOf(BlockStatus::kRejected); rejected > 0) {
    std::cout << fmt::format("{} not stored: too large for the node's RAM tier\n", rejected);
  }
  const uint64_t lost = outcome.CountOf(BlockStatus::kDamaged) + outcome.CountOf(BlockStatus::kExpired);
  if (lost > 0) std::cout << fmt::format("{} not stored: not taken in time, or damaged on the way\n", lost);
}

absl::StatusOr<int> Run(const Settings& settings) {
  ASSIGN_OR_RETURN(const BlockChain chain, MakeBlockChain(settings.blocks));
  ASSIGN_OR_RETURN(PayloadSource source, PayloadSource::Open(settings, PayloadBytesOf(chain, chain.blocks)));
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, ConnectTo(settings.connect, chain.model, chain.layout));
  Outcome outcome;
  std::vector<uint8_t> buffer;
  ProgressBar progress({.label = "storing",
                        .total = PayloadBytesOf(chain, chain.blocks),
                        .unit = "bytes",
                        .enabled = !settings.connect.json});
  const auto start = std::chrono::steady_clock::now();
  for (const std::span<const ChainBlock> batch : CutIntoBatches(chain, kBatchBytes)) {
    RETURN_IF_ERROR(StoreBatch(client.get(), chain, batch, &source, &buffer, &outcome));
    progress.Add(buffer.size());
  }
  progress.Finish();
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  outcome.padded_bytes = source.padded_bytes();
  if (settings.connect.json) {
    PrintJson(ToJson(chain, outcome));
  } else {
    PrintText(chain, outcome);
  }
  return outcome.AllThere() ? kExitOk : kExitError;
}

}  // namespace

void AddPutCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command = app.add_subcommand("put", "store the blocks of a prompt, or one block");
  AddConnectOptions(command, &settings->connect);
  AddBlockChainOptions(command, &settings->blocks);
  command
      ->add_option("--payload", settings->payload_file,
                   "file laid over the blocks, in the order of groups and depth; padded with zeros")
      ->type_name("FILE");
  settings->seed_option =
      command->add_option("--random", settings->seed, "bytes made from this number instead; `get --random` checks them")
          ->type_name("SEED");
  command->footer(std::string(kBlockChainHelp) +
                  "\nExamples:\n"
                  "  incipit put --file prompt.txt --random 1\n"
                  "  incipit put --layout custom:61x1152 --key 5f0c2a --payload latent.bin\n\n"
                  "JSON: ok, tokens_prompt, blocks, stored, present, failed {status: count}, bytes, padded_bytes,\n"
                  "seconds.\n"
                  "Exit status: 0 if the node now holds all blocks, 1 if not or on an error.");
  command->callback([settings, exit_code] {
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("put", result.status(), settings->connect.json);
  });
}

}  // namespace incipit
