#include "bench/speed/bench_rig.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <array>

#include "bench/common/payload.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

constexpr uint32_t kDeadlineMs = 60'000;  // a benchmark measures; it does not give up where an engine would
constexpr uint64_t kSealingKeySeed = 1;   // all clients of a benchmark share one key, and nothing in it is secret
constexpr int kStoreTries = 200;
constexpr useconds_t kStorePauseUs = 10'000;

// Calls visit(batch, its part of the buffer).
template <typename Visit>
void ForBatches(std::span<const PlannedBlock> blocks, uint64_t batch_bytes, MutableBytes buffer, Visit visit) {
  for (const std::span<const PlannedBlock> batch : CutIntoBatches(blocks, batch_bytes)) {
    uint64_t bytes = 0;
    for (const PlannedBlock& block : batch) bytes += block.bytes;
    visit(batch, buffer.first(bytes));
    buffer = buffer.subspan(bytes);
  }
}

template <typename Item>
std::vector<Item> ItemsOf(const BlockSet& set, std::span<const PlannedBlock> blocks, MutableBytes buffer) {
  std::vector<Item> items;
  items.reserve(blocks.size());
  for (const PlannedBlock& block : blocks) {
    Item item;
    item.group = block.group;
    item.depth_tokens = block.depth_tokens;
    item.key = set.KeyOfBlock(block);
    item.buffer = {buffer.data(), block.bytes};
    items.push_back(item);
    buffer = buffer.subspan(block.bytes);
  }
  return items;
}

// Stores one batch, again and again while the node is busy.
absl::Status StoreStubbornly(Client* client, StoreRequest request) {
  for (int tries = 0; tries < kStoreTries; ++tries) {
    if (tries > 0) usleep(kStorePauseUs);
    ASSIGN_OR_RETURN(const StatusResult result, client->Store(request));
    std::vector<StoreItem> left;
    for (size_t i = 0; i < result.status.size(); ++i) {
      if (result.status[i] != BlockStatus::kOk && result.status[i] != BlockStatus::kPresent) {
        left.push_back(request.items[i]);
      }
    }
    if (left.empty()) return absl::OkStatus();
    request.items = std::move(left);
  }
  return absl::ResourceExhaustedError(
      fmt::format("{} blocks could not be stored in {} tries: is the node's memory smaller than the data set?",
                  request.items.size(), kStoreTries));
}

}  // namespace

absl::StatusOr<std::unique_ptr<BenchRig>> BenchRig::Create(const BenchOptions& options, const Layout& layout,
                                                           const RigSizes& sizes) {
  std::unique_ptr<BenchRig> rig(new BenchRig(options, layout));
  rig->address_ = options.connect;
  if (options.connect.empty()) {
    std::vector<std::string> arguments = sizes.more_arguments;
    if (options.lane == "ucx") arguments.insert(arguments.end(), {"--listen-ucx", "127.0.0.1:0"});
    ASSIGN_OR_RETURN(rig->node_, PrivateNode::Start({.work_dir = options.work_dir,
                                                     .shards = options.shards,
                                                     .ram_bytes = sizes.ram_bytes,
                                                     .nvme_bytes = sizes.nvme_bytes,
                                                     .region_bytes = sizes.region_bytes,
                                                     .unix_lane = options.lane == "unix",
                                                     .more_arguments = arguments}));
    rig->address_ = rig->node_->address();
    if (options.lane == "unix") rig->address_ = rig->node_->unix_address();
    if (options.lane == "ucx") rig->address_ = rig->node_->ucx_address();
  }
  return rig;
}

absl::StatusOr<ClientOptions> BenchRig::OptionsOfClient() const {
  ClientOptions client;
  client.address = address_;
  client.tenant = options_.tenant;
  client.secret_file = options_.secret_file;
  client.model = "bench";
  client.layout = layout_;
  client.client_name = "bench";
  client.progress = Progress::kCaller;
  client.default_deadline_ms = kDeadlineMs;
  if (options_.sealed) {
    std::array<uint8_t, SealingKey::kBytes> key;
    FillPayload(kSealingKeySeed, 0, key);
    ASSIGN_OR_RETURN(client.sealing_key, SealingKey::FromBytes(key));
  }
  return client;
}

absl::StatusOr<std::unique_ptr<Client>> BenchRig::ConnectTo(const std::string& address, uint32_t busy_retries) const {
  ASSIGN_OR_RETURN(ClientOptions client, OptionsOfClient());
  client.address = address;
  client.busy_retries = busy_retries;
  return Client::Connect(std::move(client));
}

absl::StatusOr<std::unique_ptr<Client>> BenchRig::ConnectCoding(const std::string& codec, uint32_t threads) const {
  ASSIGN_OR_RETURN(ClientOptions client, OptionsOfClient());
  client.codec = codec;
  client.codec_threads = threads;
  return Client::Connect(std::move(client));
}

absl::Status BenchRig::StoreSet(const BlockSet& set, MutableBytes buffer, const ProgressSink& progress) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Connect());
  uint64_t stored = 0;
  for (const std::span<const PlannedBlock> round : CutIntoBatches(set.blocks, buffer.size())) {
    FillBlocks(round, buffer);
    for (StoreRequest& request : PlanStores(set, round, options_.batch_bytes, buffer)) {
      RETURN_IF_ERROR(StoreStubbornly(client.get(), std::move(request)));
    }
    for (const PlannedBlock& block : round) stored += block.bytes;
    Show(progress, "storing the data set", stored, set.bytes);
  }
  return absl::OkStatus();
}

std::string BenchRig::directory() const {
  if (node_ != nullptr) return node_->directory();
  return options_.work_dir.empty() ? "/tmp" : options_.work_dir;
}

uint64_t FreshKeySpace() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return (static_cast<uint64_t>(now.tv_sec) << 30 | static_cast<uint64_t>(now.tv_nsec)) ^
         static_cast<uint64_t>(getpid()) << 48;
}

std::vector<LoadRequest> PlanLoads(const BlockSet& set, std::span<const PlannedBlock> blocks, uint64_t batch_bytes,
                                   MutableBytes buffer) {
  std::vector<LoadRequest> requests;
  ForBatches(blocks, batch_bytes, buffer, [&](std::span<const PlannedBlock> batch, MutableBytes part) {
    requests.push_back({.items = ItemsOf<LoadItem>(set, batch, part), .deadline_ms = kDeadlineMs});
  });
  return requests;
}

std::vector<StoreRequest> PlanStores(const BlockSet& set, std::span<const PlannedBlock> blocks, uint64_t batch_bytes,
                                     MutableBytes buffer) {
  std::vector<StoreRequest> requests;
  ForBatches(blocks, batch_bytes, buffer, [&](std::span<const PlannedBlock> batch, MutableBytes part) {
    requests.push_back({.items = ItemsOf<StoreItem>(set, batch, part), .deadline_ms = kDeadlineMs});
  });
  return requests;
}

void FillBlocks(std::span<const PlannedBlock> blocks, MutableBytes buffer) {
  for (const PlannedBlock& block : blocks) {
    FillPayload(block.seed, 0, buffer.first(block.bytes));
    buffer = buffer.subspan(block.bytes);
  }
}

LoadCheck CheckLoads(std::span<const PlannedBlock> blocks, const std::vector<LoadResult>& results, ByteView buffer) {
  LoadCheck check;
  size_t next = 0;
  for (const LoadResult& result : results) {
    for (size_t i = 0; i < result.status.size(); ++i, ++next) {
      const PlannedBlock& block = blocks[next];
      if (result.status[i] == BlockStatus::kOk) {
        if (result.tier[i] == Presence::kNvme) ++check.from_nvme;
        check.wrong_bytes += CountWrongBytes(block.seed, 0, buffer.first(block.bytes));
      } else {
        ++check.missed;
      }
      buffer = buffer.subspan(block.bytes);
    }
  }
  return check;
}

}  // namespace incipit::bench
