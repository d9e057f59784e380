#include "bench/demo/demo_worker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "bench/common/block_set.h"
#include "bench/common/payload.h"
#include "bench/common/stopwatch.h"
#include "bench/demo/prompt.h"
#include "cache/base/status_macros.h"
#include "client/hasher/prefix_hasher.h"
#include "client/layouts/layouts.h"
#include "incipit/client.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kWindowBytes = 64 * kMiB;
constexpr uint32_t kDeadlineMs = 60'000;
constexpr uint32_t kLeaseMs = 60'000;

// Keys of every group: one hash chain for each block size that occurs.
absl::StatusOr<BlockSet> BlocksOf(const Layout& layout, std::span<const uint32_t> tokens) {
  std::vector<PrefixHasher> chains;
  for (const GroupSpec& group : layout.groups) {
    ASSIGN_OR_RETURN(PrefixHasher hasher, PrefixHasher::Create({.chunk_tokens = group.block_tokens}));
    hasher.Append(tokens);
    chains.push_back(std::move(hasher));
  }
  return BlockSet::Make(layout, tokens.size(),
                        [&](GroupIndex group, uint32_t index) { return chains[group].keys()[index]; });
}

class DemoWorker {
 public:
  DemoWorker(Client* client, const BlockSet* set, DemoWorkerReport* report)
      : client_(client), set_(set), report_(report), stamp_ns_(client->NewStamp()) {
    uint64_t largest = 0;
    for (const PlannedBlock& block : set->blocks) largest = std::max(largest, block.bytes);
    buffer_.resize(std::min(std::max(kWindowBytes, largest), set->bytes));
  }

  absl::Status MatchPrompt() {
    const Stopwatch watch;
    ASSIGN_OR_RETURN(
        match_,
        client_->Match(
            {.groups = set_->KeyLists(), .stamp_ns = stamp_ns_, .lease_ms = kLeaseMs, .deadline_ms = kDeadlineMs}));
    report_->seconds += watch.Seconds();
    report_->tokens_matched = match_.longest_tokens();
    return match_.complete ? absl::OkStatus() : absl::UnavailableError("a shard did not answer the match");
  }

  absl::Status LoadMatched() {
    for (const auto& batch : CutIntoBatches(Matched(), buffer_.size())) RETURN_IF_ERROR(LoadBatch(batch));
    return absl::OkStatus();
  }

  absl::Status StoreAll() {
    for (const auto& batch : CutIntoBatches(set_->blocks, buffer_.size())) RETURN_IF_ERROR(StoreBatch(batch));
    return absl::OkStatus();
  }

 private:
  // The blocks of the matched length.
  std::span<const PlannedBlock> Matched() {
    for (const PlannedBlock& block : set_->blocks) {
      if (block.depth_tokens < match_.longest_tokens()) matched_.push_back(block);
    }
    return matched_;
  }

  absl::Status LoadBatch(std::span<const PlannedBlock> batch) {
    LoadRequest request{.stamp_ns = stamp_ns_, .deadline_ms = kDeadlineMs};
    uint8_t* at = buffer_.data();
    for (const PlannedBlock& block : batch) {
      request.items.push_back({.group = block.group,
                               .depth_tokens = block.depth_tokens,
                               .key = set_->KeyOfBlock(block),
                               .buffer = {at, block.bytes}});
      at += block.bytes;
    }
    const Stopwatch watch;
    ASSIGN_OR_RETURN(const LoadResult result, client_->Load(request));
    report_->seconds += watch.Seconds();
    for (size_t i = 0; i < batch.size(); ++i) {
      if (result.status[i] != BlockStatus::kOk) {
        ++report_->failed_blocks;
        continue;
      }
      Count(batch[i]);
      if (result.tier[i] == Presence::kNvme) ++report_->blocks_from_nvme;
      const auto* bytes = static_cast<const uint8_t*>(request.items[i].buffer.iov_base);
      report_->wrong_bytes += CountWrongBytes(batch[i].seed, 0, {bytes, batch[i].bytes});
    }
    return absl::OkStatus();
  }

  absl::Status StoreBatch(std::span<const PlannedBlock> batch) {
    StoreRequest request{.stamp_ns = stamp_ns_, .deadline_ms = kDeadlineMs};
    uint8_t* at = buffer_.data();
    for (const PlannedBlock& block : batch) {
      FillPayload(block.seed, 0, {at, block.bytes});
      request.items.push_back({.group = block.group,
                               .depth_tokens = block.depth_tokens,
                               .key = set_->KeyOfBlock(block),
                               .buffer = {at, block.bytes}});
      at += block.bytes;
    }
    const Stopwatch watch;
    ASSIGN_OR_RETURN(const StatusResult result, client_->Store(std::move(request)));
    report_->seconds += watch.Seconds();
    for (size_t i = 0; i < batch.size(); ++i) {
      if (result.status[i] == BlockStatus::kOk) {
        Count(batch[i]);
      } else if (result.status[i] != BlockStatus::kPresent) {
        ++report_->failed_blocks;
      }
    }
    return absl::OkStatus();
  }

  void Count(const PlannedBlock& block) {
    ++report_->blocks;
    report_->bytes += block.bytes;
  }

  Client* client_;
  const BlockSet* set_;
  DemoWorkerReport* report_;
  uint64_t stamp_ns_;
  std::vector<uint8_t> buffer_;
  MatchResult match_;
  std::vector<PlannedBlock> matched_;
};

}  // namespace

absl::StatusOr<Layout> DemoLayout(const std::string& name) {
  ASSIGN_OR_RETURN(Layout layout, NamedLayout(name));
  for (const GroupSpec& group : layout.groups) {
    if (group.rule != HitRule::kAll) {
      return absl::InvalidArgumentError(fmt::format(
          "layout {} has group {} that is not needed for every token; the demonstration takes layouts whose "
          "groups are: deepseek-v3-bf16, deepseek-v3-fp8, deepseek-v3.2, deepseek-v4.1-flash, llama-3.1-70b",
          name, group.name));
    }
  }
  return layout;
}

absl::StatusOr<DemoWorkerReport> RunDemoWorker(const DemoWorkerOptions& options) {
  ASSIGN_OR_RETURN(const Layout layout, DemoLayout(options.layout));
  std::ifstream file(options.prompt_path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return absl::NotFoundError(fmt::format("cannot read the prompt {}", options.prompt_path));
  const std::vector<uint32_t> tokens = Tokenize(text.str());
  ASSIGN_OR_RETURN(const BlockSet set, BlocksOf(layout, tokens));
  ClientOptions client_options;
  client_options.address = options.address;
  client_options.model = "demo";
  client_options.layout = layout;
  client_options.client_name = "demo-worker";
  client_options.progress = Progress::kCaller;
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Connect(std::move(client_options)));
  DemoWorkerReport report;
  report.tokens_prompt = tokens.size();
  report.process_id = getpid();
  if (set.blocks.empty()) return report;
  DemoWorker worker(client.get(), &set, &report);
  RETURN_IF_ERROR(worker.MatchPrompt());
  RETURN_IF_ERROR(options.store ? worker.StoreAll() : worker.LoadMatched());
  return report;
}

Json DemoWorkerJson(const DemoWorkerReport& report) {
  return {{"tokens_prompt", report.tokens_prompt},
          {"tokens_matched", report.tokens_matched},
          {"blocks", report.blocks},
          {"bytes", report.bytes},
          {"blocks_from_nvme", report.blocks_from_nvme},
          {"failed_blocks", report.failed_blocks},
          {"wrong_bytes", report.wrong_bytes},
          {"seconds", report.seconds},
          {"process_id", report.process_id}};
}

absl::StatusOr<DemoWorkerReport> ParseDemoWorkerJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto number = [&](const char* name) {
    return json.is_object() && json.contains(name) && json[name].is_number();
  };
  for (const char* name : {"tokens_prompt", "tokens_matched", "blocks", "bytes", "blocks_from_nvme", "failed_blocks",
                           "wrong_bytes", "seconds", "process_id"}) {
    if (!number(name)) {
      return absl::InternalError(fmt::format("a worker printed no number \"{}\": {}", name, text));
    }
  }
  DemoWorkerReport report;
  report.tokens_prompt = json["tokens_prompt"].get<uint64_t>();
  report.tokens_matched = json["tokens_matched"].get<uint64_t>();
  report.blocks = json["blocks"].get<uint64_t>();
  report.bytes = json["bytes"].get<uint64_t>();
  report.blocks_from_nvme = json["blocks_from_nvme"].get<uint64_t>();
  report.failed_blocks = json["failed_blocks"].get<uint64_t>();
  report.wrong_bytes = json["wrong_bytes"].get<uint64_t>();
  report.seconds = json["seconds"].get<double>();
  report.process_id = json["process_id"].get<int64_t>();
  return report;
}

}  // namespace incipit::bench
