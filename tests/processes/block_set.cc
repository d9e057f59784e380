#include "tests/processes/block_set.h"

#include <unistd.h>

#include <cstring>

#include "cache/base/check.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"
#include "fmt/format.h"
#include "tests/processes/node_process.h"
#include "tests/support/blocks.h"

namespace incipit::campaign {
namespace {

constexpr uint64_t kBatchBytes = 8 << 20;
constexpr size_t kBatchBlocks = 512;
constexpr int kAttempts = 50;
constexpr useconds_t kPauseUs = 2000;
constexpr size_t kExamples = 5;

std::vector<Namespace> MakeNamespaces() {
  std::vector<Namespace> made;
  made.push_back({"small", *CustomLayout(4, 64, 16)});
  made.push_back({"flash", *NamedLayout("deepseek-v4.1-flash")});
  made.push_back({"large", *CustomLayout(16, 1024, 64)});
  return made;
}

std::string NameOf(const Block& block) {
  std::string text = fmt::format("{} group {} key ", Namespaces()[block.name_space].model, block.group);
  for (const uint8_t byte : block.key) text += fmt::format("{:02x}", byte);
  return text;
}

std::vector<BlockName> NamesOf(const std::vector<Block>& blocks) {
  std::vector<BlockName> names;
  for (const Block& block : blocks) names.push_back({block.group, 0, block.key});
  return names;
}

void Note(Tally* tally, const char* what, const Block& block) {
  if (tally->examples.size() < kExamples) tally->examples.push_back(fmt::format("{}: {}", what, NameOf(block)));
}

}  // namespace

const std::vector<Namespace>& Namespaces() {
  static const std::vector<Namespace> namespaces = MakeNamespaces();
  return namespaces;
}

uint64_t BytesOf(const Block& block) { return Namespaces()[block.name_space].layout.groups[block.group].BlockBytes(); }

std::vector<uint8_t> PayloadOf(const Block& block) {
  return testing::PayloadOf(block.key, BytesOf(block), (uint64_t{block.name_space} << 32) + block.group + 1);
}

std::vector<uint8_t> KeyOfNumber(uint64_t number) { return testing::KeyOf(number); }

absl::StatusOr<Block> BlockOf(ByteView framed_identity) {
  ASSIGN_OR_RETURN(const IdentityView view, ViewIdentity(framed_identity));
  for (size_t i = 0; i < Namespaces().size(); ++i) {
    if (Namespaces()[i].model != view.model) continue;
    const LayoutFingerprint fingerprint = Namespaces()[i].layout.Fingerprint();
    if (!std::equal(fingerprint.begin(), fingerprint.end(), view.layout_fingerprint.begin())) break;
    if (view.part != 0) break;
    return Block{static_cast<uint8_t>(i), view.group, {view.key.begin(), view.key.end()}};
  }
  return absl::InvalidArgumentError(fmt::format("an identity of model '{}' is not of this campaign", view.model));
}

absl::StatusOr<std::unique_ptr<BlockClients>> BlockClients::Connect(const std::string& address, uint32_t deadline_ms) {
  auto made = std::make_unique<BlockClients>();
  for (const Namespace& name_space : Namespaces()) {
    ClientOptions options;
    options.address = address;
    options.model = name_space.model;
    options.layout = name_space.layout;
    options.client_name = "campaign";
    options.progress = Progress::kCaller;
    options.connect_timeout_ms = 30'000;
    options.default_deadline_ms = deadline_ms;
    ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Client::Connect(std::move(options)));
    made->clients_.push_back(std::move(client));
  }
  return made;
}

absl::StatusOr<LoadResult> BlockClients::LoadOnce(const std::vector<Block>& blocks, Tally* tally) {
  std::vector<std::vector<uint8_t>> buffers;
  for (const Block& block : blocks) buffers.emplace_back(BytesOf(block), uint8_t{0xa5});
  LoadRequest request;
  for (size_t i = 0; i < blocks.size(); ++i) {
    LoadItem item;
    item.group = blocks[i].group;
    item.key = blocks[i].key;
    item.buffer = {buffers[i].data(), buffers[i].size()};
    request.items.push_back(item);
  }
  absl::StatusOr<LoadResult> result = clients_[blocks[0].name_space]->Load(std::move(request));
  if (!result.ok()) return result;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (result->status[i] != BlockStatus::kOk) continue;
    const std::vector<uint8_t> expected = PayloadOf(blocks[i]);
    if (std::memcmp(expected.data(), buffers[i].data(), expected.size()) == 0) continue;
    ++tally->wrong;
    Note(tally, "wrong bytes", blocks[i]);
  }
  return result;
}

void BlockClients::Load(const std::vector<Block>& blocks, Tally* tally) {
  const absl::StatusOr<LoadResult> result = LoadOnce(blocks, tally);
  if (!result.ok()) {
    tally->unanswered += blocks.size();
    return;
  }
  tally->hits += result->hits;
  tally->misses += blocks.size() - result->hits;
}

void BlockClients::LoadAll(const std::vector<Block>& blocks, Tally* tally) {
  std::vector<std::vector<Block>> rest(Namespaces().size());
  for (const Block& block : blocks) rest[block.name_space].push_back(block);
  for (std::vector<Block>& waiting : rest) {
    int attempts = 0;
    while (!waiting.empty() && attempts < kAttempts) {
      uint64_t bytes = 0;
      std::vector<Block> batch;
      while (!waiting.empty() && batch.size() < kBatchBlocks && bytes < kBatchBytes) {
        bytes += BytesOf(waiting.back());
        batch.push_back(std::move(waiting.back()));
        waiting.pop_back();
      }
      const absl::StatusOr<LoadResult> result = LoadOnce(batch, tally);
      size_t again = 0;
      for (size_t i = 0; i < batch.size(); ++i) {
        const BlockStatus status = result.ok() ? result->status[i] : BlockStatus::kExpired;
        if (status == BlockStatus::kOk) {
          ++tally->hits;
        } else if (status == BlockStatus::kBusy || status == BlockStatus::kExpired) {
          waiting.push_back(std::move(batch[i]));
          ++again;
        } else {
          ++tally->misses;
          Note(tally, fmt::format("status {}", static_cast<int>(status)).c_str(), batch[i]);
        }
      }
      attempts = again < batch.size() ? 0 : attempts + 1;
      if (again > 0) usleep(kPauseUs);
    }
    tally->unanswered += waiting.size();
  }
}

absl::StatusOr<StatusResult> BlockClients::Store(const std::vector<Block>& blocks) {
  std::vector<std::vector<uint8_t>> payloads;
  StoreRequest request;
  for (const Block& block : blocks) {
    payloads.push_back(PayloadOf(block));
    StoreItem item;
    item.group = block.group;
    item.key = block.key;
    item.buffer = {payloads.back().data(), payloads.back().size()};
    request.items.push_back(item);
  }
  return clients_[blocks[0].name_space]->Store(std::move(request));
}

absl::StatusOr<StatusResult> BlockClients::Remove(const std::vector<Block>& blocks) {
  RemoveRequest request;
  request.blocks = NamesOf(blocks);
  return clients_[blocks[0].name_space]->Remove(std::move(request));
}

absl::StatusOr<uint64_t> BlockClients::Stat(const std::string& name) {
  ASSIGN_OR_RETURN(const std::vector<ShardStats> shards, clients_[0]->Stats());
  if (shards.size() != clients_[0]->node().shard_count) return absl::UnavailableError("not every shard answered");
  uint64_t sum = 0;
  for (const ShardStats& shard : shards) {
    for (const auto& [key, value] : shard.values) sum += key == name ? value : 0;
  }
  return sum;
}

absl::StatusOr<double> BlockClients::WaitRecovered() {
  const double start_ms = NowMs();
  const uint64_t shards = clients_[0]->node().shard_count;
  while (NowMs() - start_ms < 120'000) {
    const absl::StatusOr<uint64_t> recovered = Stat("recovered");
    if (recovered.ok() && *recovered == shards) return NowMs() - start_ms;
    usleep(kPauseUs);
  }
  return absl::DeadlineExceededError("the node has not indexed its NVMe tier within 120 s");
}

}  // namespace incipit::campaign
