// Clients and a node of several shards in one thread of virtual time. One seed chooses the node, the workload and the
// faults of network and disks. Safety: a hit always has the right bytes, and no call outlives its deadline. Liveness:
// once the faults end, everything works again. Determinism: the same seed gives the same history.
#include <gtest/gtest.h>

#include <cstdlib>

#include "cache/seams/faulty_disk.h"
#include "cache/seams/mem_disk.h"
#include "client/src/core/client_core.h"
#include "tests/support/blocks.h"
#include "tests/support/sim_node.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::PayloadOf;
using testing::SimNode;
using testing::SmallLayout;

constexpr int64_t kMillisecondNs = 1'000'000;
constexpr uint64_t kChains = 12;
constexpr uint64_t kBlocksPerChain = 24;
constexpr uint32_t kDeadlineMs = 400;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class ClusterSim {
 public:
  explicit ClusterSim(uint64_t seed)
      : random_(MakeSeededRandom(seed)), network_(&loop_, random_.get()), node_(&loop_, &network_, random_.get()) {
    const uint64_t shards = 1 + random_->Below(3);
    const bool with_nvme = random_->Below(4) != 0;
    for (uint64_t i = 0; i < shards; ++i) {
      if (!with_nvme) {
        raw_disks_.push_back(nullptr);
        continue;
      }
      MemDiskOptions disk_options;
      disk_options.latency_ns = static_cast<int64_t>(random_->Below(200'000));
      disk_options.jitter_ns = static_cast<int64_t>(random_->Below(500'000));
      disk_options.seed = random_->Next();
      disks_.push_back(std::make_unique<MemDisk>(&loop_, std::make_shared<MemDiskContents>(9 << 20), disk_options));
      faulty_.push_back(std::make_unique<FaultyDisk>(&loop_, disks_.back().get(), random_.get()));
      raw_disks_.push_back(faulty_.back().get());
    }
  }

  void Run() {
    ShardOptions options;
    options.store.ram_bytes = 4 << 20;
    options.nvme.region_bytes = 512 << 10;
    options.nvme.write_buffer_bytes = 128 << 10;
    options.nvme.read_slot_bytes = 64 << 10;
    options.nvme.read_slots = 8;
    ASSERT_TRUE(node_.Start(options, raw_disks_).ok());
    const uint64_t count = 1 + random_->Below(3);
    for (uint64_t i = 0; i < count; ++i) AddClient();
    SetFaults();
    for (auto& client : clients_) scope_.Spawn(Work(client.get(), 40));
    JoinAll();
    EndFaults();
    for (auto& client : clients_) scope_.Spawn(MustWork(client.get()));
    JoinAll();
    for (auto& client : clients_) loop_.Run(client->Stop());
    node_.Stop();
  }
  uint64_t history() const { return history_; }
  uint64_t hits() const { return hits_; }
  uint64_t faults() const {
    const MemNetworkCounters& c = network_.counters();
    return c.cuts + c.flips + c.partials + c.delays + c.refusals;
  }

 private:
  void AddClient() {
    ClientOptions options;
    options.address = node_.address();
    options.model = "model";
    options.layout = layout_;
    options.default_deadline_ms = kDeadlineMs;
    connectors_.push_back(network_.MakeConnector());
    clients_.push_back(std::make_unique<ClientCore>(&loop_, connectors_.back().get(), random_.get(), options));
    clients_.back()->Start();
  }

  void SetFaults() {
    MemNetworkFaults faults;
    faults.cut_per_mille = static_cast<uint32_t>(random_->Below(4));
    faults.flip_per_mille = static_cast<uint32_t>(random_->Below(6));
    faults.partial_per_mille = static_cast<uint32_t>(random_->Below(400));
    faults.delay_per_mille = static_cast<uint32_t>(random_->Below(200));
    faults.refuse_per_mille = static_cast<uint32_t>(random_->Below(200));
    faults.max_delay_ns = 20 * kMillisecondNs;
    network_.set_faults(faults);
    for (auto& disk : faulty_) {
      disk->SetProbability(FaultSite::kReadError, random_->Below(3) == 0 ? 0.05 : 0);
      disk->SetProbability(FaultSite::kWriteError, random_->Below(3) == 0 ? 0.05 : 0);
      disk->SetProbability(FaultSite::kFlippedBit, random_->Below(2) == 0 ? 0.1 : 0);
      disk->SetProbability(FaultSite::kTornWrite, random_->Below(4) == 0 ? 0.02 : 0);
      if (random_->Below(6) == 0) disk->Plan(FaultSite::kHang, 50 + random_->Below(200), 3);
    }
  }
  void EndFaults() {
    network_.set_faults({});
    for (auto& disk : faulty_) disk->Heal();
    loop_.RunUntil(loop_.NowNs() + 30'000 * kMillisecondNs);
  }

  void JoinAll() {
    auto join = [this]() -> Task<void> { co_await scope_.Join(); };
    loop_.Run(join());
  }

  std::vector<std::vector<uint8_t>> ChainKeys(uint64_t chain, uint64_t blocks) const {
    std::vector<std::vector<uint8_t>> keys;
    for (uint64_t i = 0; i < blocks; ++i) keys.push_back(KeyOf(chain * 1000 + i));
    return keys;
  }
  void Note(uint64_t what) { history_ = (history_ ^ what) * 0x100000001b3ull + static_cast<uint64_t>(loop_.NowNs()); }
  // Deadlines hold up to the delay that one transfer may suffer.
  void CheckInTime(int64_t start_ns) { EXPECT_LE(loop_.NowNs() - start_ns, (kDeadlineMs + 50) * kMillisecondNs); }

  Task<void> Work(ClientCore* client, int rounds) {
    for (int round = 0; round < rounds; ++round) {
      const uint64_t chain = random_->Below(kChains);
      const uint64_t blocks = 1 + random_->Below(kBlocksPerChain);
      const auto keys = ChainKeys(chain, blocks);
      const int64_t start_ns = loop_.NowNs();
      Task<void> step;
      switch (random_->Below(8)) {
        case 0:
        case 1:
        case 2:
          step = StoreChain(client, &keys, nullptr);
          break;
        case 3:
          step = RemoveSome(client, &keys);
          break;
        default:
          step = LoadChain(client, &keys, nullptr);
      }
      co_await step;
      CheckInTime(start_ns);
      co_await SleepUntil(&loop_, loop_.NowNs() + static_cast<int64_t>(random_->Below(5 * kMillisecondNs)));
    }
  }

  Task<void> StoreChain(ClientCore* client, const std::vector<std::vector<uint8_t>>* keys, uint64_t* stored) {
    std::vector<std::vector<uint8_t>> payloads;
    StoreRequest request;
    for (size_t i = 0; i < keys->size(); ++i) payloads.push_back(PayloadOf((*keys)[i], layout_.groups[0].BlockBytes()));
    for (size_t i = 0; i < keys->size(); ++i) {
      StoreItem item;
      item.key = (*keys)[i];
      item.depth_tokens = static_cast<uint32_t>(i * 16);
      item.buffer = {payloads[i].data(), payloads[i].size()};
      request.items.push_back(item);
    }
    Task<absl::StatusOr<StatusResult>> storing = client->Store(std::move(request));
    const absl::StatusOr<StatusResult> result = co_await storing;
    if (!result.ok()) {
      EXPECT_TRUE(absl::IsUnavailable(result.status())) << result.status();
      co_return;
    }
    Note(result->Count(BlockStatus::kOk));
    EXPECT_EQ(result->Count(BlockStatus::kConflict), 0u);
    if (stored != nullptr) *stored = result->Count(BlockStatus::kOk) + result->Count(BlockStatus::kPresent);
  }

  Task<void> LoadChain(ClientCore* client, const std::vector<std::vector<uint8_t>>* keys, uint64_t* loaded) {
    std::vector<BlockKey> chain;
    for (const auto& key : *keys) chain.emplace_back(ByteView(key));
    MatchRequest match;
    match.groups = {KeyList(chain)};
    match.lease_ms = 1000;
    const int64_t start_ns = loop_.NowNs();
    Task<absl::StatusOr<MatchResult>> matching = client->Match(std::move(match));
    const absl::StatusOr<MatchResult> matched = co_await matching;
    EXPECT_TRUE(matched.ok()) << matched.status();
    if (!matched.ok()) co_return;
    const uint64_t blocks = matched->longest_tokens() / 16;
    Note(blocks);
    const int64_t left_ms = static_cast<int64_t>(kDeadlineMs) - (loop_.NowNs() - start_ns) / kMillisecondNs;
    if (blocks == 0 || left_ms <= 0) co_return;
    std::vector<std::vector<uint8_t>> buffers(blocks, std::vector<uint8_t>(layout_.groups[0].BlockBytes(), 0xa5));
    LoadRequest request;
    request.deadline_ms = static_cast<uint32_t>(left_ms);
    for (uint64_t i = 0; i < blocks; ++i) {
      LoadItem item;
      item.key = (*keys)[i];
      item.depth_tokens = static_cast<uint32_t>(i * 16);
      item.buffer = {buffers[i].data(), buffers[i].size()};
      request.items.push_back(item);
    }
    Task<absl::StatusOr<LoadResult>> loading = client->Load(std::move(request));
    const absl::StatusOr<LoadResult> result = co_await loading;
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) co_return;
    for (uint64_t i = 0; i < blocks; ++i) {
      Note(static_cast<uint64_t>(result->status[i]));
      if (result->status[i] != BlockStatus::kOk) continue;
      ++hits_;
      EXPECT_EQ(buffers[i], PayloadOf((*keys)[i], layout_.groups[0].BlockBytes())) << "WRONG BYTES";
    }
    if (loaded != nullptr) *loaded = result->hits;
  }

  Task<void> RemoveSome(ClientCore* client, const std::vector<std::vector<uint8_t>>* keys) {
    RemoveRequest request;
    for (size_t i = 0; i < keys->size(); i += 5)
      request.blocks.push_back({0, static_cast<uint32_t>(i * 16), (*keys)[i]});
    Task<absl::StatusOr<StatusResult>> removing = client->Remove(std::move(request));
    const absl::StatusOr<StatusResult> result = co_await removing;
    if (result.ok()) Note(result->Count(BlockStatus::kOk));
  }

  // A connection on which a length was flipped shows it only by silence: the calls that meet it expire, and then the
  // client connects anew. So a few calls may fail after the last fault, but not more.
  Task<void> MustWork(ClientCore* client) {
    const auto keys = ChainKeys(100, kBlocksPerChain);
    uint64_t stored = 0, loaded = 0;
    for (int attempt = 0; attempt < 6 && loaded < kBlocksPerChain; ++attempt) {
      stored = loaded = 0;
      Task<void> storing = StoreChain(client, &keys, &stored);
      co_await storing;
      Task<void> loading = LoadChain(client, &keys, &loaded);
      co_await loading;
      co_await SleepUntil(&loop_, loop_.NowNs() + 500 * kMillisecondNs);
    }
    EXPECT_EQ(stored, kBlocksPerChain);
    EXPECT_EQ(loaded, kBlocksPerChain);
  }

  SimLoop loop_;
  Layout layout_ = SmallLayout(4, 512);  // 32 KiB blocks
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  std::vector<std::unique_ptr<MemDisk>> disks_;
  std::vector<std::unique_ptr<FaultyDisk>> faulty_;
  std::vector<Disk*> raw_disks_;
  SimNode node_;
  std::vector<std::unique_ptr<Connector>> connectors_;
  std::vector<std::unique_ptr<ClientCore>> clients_;
  uint64_t history_ = 0xcbf29ce484222325ull;
  uint64_t hits_ = 0;
  TaskScope scope_{&loop_};
};

TEST(ClusterSim, NoSeedGivesWrongBytesOrHangs) {
  const uint64_t first = FromEnvironment("INCIPIT_SEED", 1);
  const uint64_t count = FromEnvironment("INCIPIT_CAMPAIGN_COUNT", 25);
  uint64_t hits = 0, faults = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    ClusterSim sim(seed);
    sim.Run();
    hits += sim.hits();
    faults += sim.faults();
    if (::testing::Test::HasFailure()) return;
  }
  std::printf("%lu seeds from %lu: %lu hits verified, %lu network faults\n", count, first, hits, faults);
  EXPECT_GT(hits, count * 10);
  EXPECT_GT(faults, count);
}

TEST(ClusterSim, SameSeedGivesTheSameHistory) {
  for (uint64_t seed : {3u, 4u, 5u}) {
    ClusterSim one(seed), two(seed);
    one.Run();
    two.Run();
    EXPECT_EQ(one.history(), two.history()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace incipit
