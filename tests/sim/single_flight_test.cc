// Many workers that miss the same prompts, in one thread of virtual time, with deaths and a bad network from a seed.
// At most one claim on a block; every wait ends by its deadline; nobody waits for a dead worker beyond its lease; all
// who live get all their blocks, with the right bytes.
#include <gtest/gtest.h>

#include "tests/sim/flight_worker.h"
#include "tests/support/campaign.h"
#include "tests/support/sim_node.h"

namespace incipit {
namespace {

using testing::CampaignCount;
using testing::CampaignSeed;
using testing::FlightWorker;
using testing::FlightWorld;
using testing::KeyOf;
using testing::SimNode;

constexpr int64_t kMs = FlightWorld::kMs;

class FlightSim {
 public:
  FlightSim(uint64_t seed, size_t shards)
      : random_(MakeSeededRandom(seed)),
        network_(&world_.loop, random_.get()),
        node_(&world_.loop, &network_, random_.get()),
        disks_(shards, nullptr) {
    world_.network = &network_;
    world_.random = random_.get();
  }
  ~FlightSim() {
    for (auto& worker : workers_) world_.loop.Run(worker->Stop());
    world_.loop.Run(Join());
    node_.Stop();
  }

  void StartNode() {
    ShardOptions options;
    options.store.ram_bytes = 16 << 20;
    ASSERT_TRUE(node_.Start(options, disks_).ok());
  }
  // What is in RAM is lost with it, and so are the claims.
  void RestartNode() {
    network_.Kill(node_.address());
    node_.Stop();
    StartNode();
  }

  // `shared` blocks of an opening, then a tail of its own.
  FlightWorker* AddWorker(uint64_t opening, size_t shared, uint64_t tail, size_t blocks, int64_t block_ns) {
    FlightWorker::Prompt prompt;
    for (size_t i = 0; i < blocks; ++i) {
      prompt.push_back(KeyOf(i < shared ? opening * 1000 + i : 1'000'000 + tail * 1000 + i));
    }
    workers_.push_back(std::make_unique<FlightWorker>(&world_, node_.address(), std::move(prompt), block_ns));
    return workers_.back().get();
  }
  void Begin(FlightWorker* worker) { scope_.Spawn(worker->Work()); }
  void Spawn(Task<void> task) { scope_.Spawn(std::move(task)); }
  void RunAll() { world_.loop.Run(Join()); }

  uint64_t Sum(uint64_t ClaimCounters::*field) {
    uint64_t sum = 0;
    for (size_t i = 0; i < node_.shard_count(); ++i) sum += node_.shard(i)->claims()->counters().*field;
    return sum;
  }
  // Every block that was ever claimed is claimed still or has lost its claim once: none was granted twice over.
  void CheckAccounts() {
    for (size_t i = 0; i < node_.shard_count(); ++i) {
      const ClaimTable& table = *node_.shard(i)->claims();
      const ClaimCounters& c = table.counters();
      EXPECT_EQ(c.granted, c.landed + c.released + c.lapsed + table.claimed_blocks());
    }
  }
  // Once nobody is at work, and leases had their time.
  void CheckNothingIsLeft() {
    world_.loop.RunUntil(world_.loop.NowNs() + FlightWorld::kClaimMs * kMs + FlightWorld::kSlackNs);
    CheckAccounts();
    for (size_t i = 0; i < node_.shard_count(); ++i) {
      EXPECT_EQ(node_.shard(i)->claims()->claimed_blocks(), 0u);
      EXPECT_EQ(node_.shard(i)->claims()->watched_keys(), 0u);
      EXPECT_EQ(node_.shard(i)->claims()->blocks(), 0u);
    }
  }

  FlightWorld* world() { return &world_; }
  MemNetwork* network() { return &network_; }
  Random* random() { return random_.get(); }
  SimNode* node() { return &node_; }
  std::vector<std::unique_ptr<FlightWorker>>& workers() { return workers_; }

 private:
  Task<void> Join() { co_await scope_.Join(); }

  FlightWorld world_;
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  SimNode node_;
  std::vector<Disk*> disks_;
  std::vector<std::unique_ptr<FlightWorker>> workers_;
  TaskScope scope_{&world_.loop};
};

uint64_t BlocksStored(FlightSim* sim) {
  uint64_t sum = 0;
  for (size_t i = 0; i < sim->node()->shard_count(); ++i) {
    EXPECT_EQ(sim->node()->shard(i)->store()->counters().blocks_already_present, 0u);
    sum += sim->node()->shard(i)->store()->counters().blocks_stored;
  }
  return sum;
}

TEST(SingleFlight, OfSixtyFourOneComputesAndTheOthersStayRightBehind) {
  constexpr size_t kBlocks = 100;
  FlightSim sim(1, 4);
  sim.StartNode();
  for (int i = 0; i < 64; ++i) sim.AddWorker(0, kBlocks, 0, kBlocks, 5 * kMs);
  const int64_t start_ns = sim.world()->loop.NowNs();
  for (auto& worker : sim.workers()) sim.Begin(worker.get());
  sim.RunAll();
  int64_t computed_ns = 0, last_ns = 0;
  size_t computers = 0;
  for (auto& worker : sim.workers()) {
    EXPECT_TRUE(worker->complete());
    last_ns = std::max(last_ns, worker->done_ns() - start_ns);
    if (worker->computed() == 0) continue;
    ++computers;
    computed_ns = worker->done_ns() - start_ns;
  }
  EXPECT_EQ(computers, 1u);
  EXPECT_EQ(sim.Sum(&ClaimCounters::granted), kBlocks);
  EXPECT_EQ(BlocksStored(&sim), kBlocks);
  EXPECT_EQ(sim.world()->computed, kBlocks);
  // In virtual time, where only waiting counts: the last block's announcement, and the loads behind it.
  EXPECT_LE(last_ns - computed_ns, 20 * kMs);
  sim.CheckNothingIsLeft();
}

// What is handed over was sealed by the one and is opened by the others.
TEST(SingleFlight, SealedBlocksAreHandedOverAsWell) {
  constexpr size_t kBlocks = 30;
  FlightSim sim(7, 2);
  std::vector<uint8_t> key(SealingKey::kBytes, 0x17);
  key[0] = 7;
  sim.world()->sealing_key = *SealingKey::FromBytes(key);
  sim.StartNode();
  for (int i = 0; i < 8; ++i) sim.AddWorker(0, kBlocks, 0, kBlocks, 5 * kMs);
  for (auto& worker : sim.workers()) sim.Begin(worker.get());
  sim.RunAll();
  for (auto& worker : sim.workers()) {
    EXPECT_TRUE(worker->complete());
    EXPECT_EQ(worker->client()->counters().forged_segments, 0u);
    EXPECT_EQ(worker->client()->counters().refused_blocks, 0u);
  }
  EXPECT_EQ(sim.world()->computed, kBlocks);
  EXPECT_EQ(sim.world()->loaded, 7 * kBlocks);
  EXPECT_EQ(BlocksStored(&sim), kBlocks);
  sim.CheckNothingIsLeft();
}

TEST(SingleFlight, PromptsThatShareAnOpeningComputeItOnceAndTheirTailsEach) {
  FlightSim sim(2, 3);
  sim.StartNode();
  for (int i = 0; i < 12; ++i) sim.AddWorker(0, 40, static_cast<uint64_t>(i / 3), 60, 5 * kMs);
  for (auto& worker : sim.workers()) sim.Begin(worker.get());
  sim.RunAll();
  for (auto& worker : sim.workers()) EXPECT_TRUE(worker->complete());
  EXPECT_EQ(sim.Sum(&ClaimCounters::granted), 40u + 4 * 20u);
  EXPECT_EQ(BlocksStored(&sim), 40u + 4 * 20u);
  sim.CheckNothingIsLeft();
}

class SingleFlightDeath : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(KilledOrHung, SingleFlightDeath, ::testing::Bool());

TEST_P(SingleFlightDeath, ExactlyOneTakesOver) {
  FlightSim sim(3, 3);
  sim.StartNode();
  for (int i = 0; i < 16; ++i) sim.AddWorker(0, 50, 0, 50, 10 * kMs);
  for (auto& worker : sim.workers()) sim.Begin(worker.get());
  const int64_t death_ns = sim.world()->loop.NowNs() + 200 * kMs;
  auto die = [](FlightSim* s, int64_t at_ns, bool hang) -> Task<void> {
    co_await SleepUntil(&s->world()->loop, at_ns);
    for (auto& worker : s->workers()) {
      if (!worker->computing()) continue;
      if (hang) {
        worker->Hang();
      } else {
        Task<void> killing = worker->Kill();
        co_await killing;
      }
    }
  };
  sim.Spawn(die(&sim, death_ns, GetParam()));
  sim.RunAll();
  size_t computers = 0;
  int64_t last_ns = 0;
  for (auto& worker : sim.workers()) {
    EXPECT_TRUE(worker->complete() || worker->dead());
    computers += worker->computed() > 0;
    last_ns = std::max(last_ns, worker->done_ns());
  }
  EXPECT_EQ(computers, 2u);
  EXPECT_EQ(BlocksStored(&sim), 50u);
  // A killed one is replaced at once, a silent one after its lease; then what is left is computed.
  const int64_t gap_ns = GetParam() ? FlightWorld::kClaimMs * kMs : 0;
  EXPECT_LE(last_ns - death_ns, gap_ns + 32 * 10 * kMs + FlightWorld::kSlackNs);
  sim.CheckNothingIsLeft();
}

// One seed: who needs what, who dies when and how, what the network does.
void RunSeed(uint64_t seed, FlightWorld* totals, uint64_t* deaths, uint64_t* restarts) {
  auto plan = MakeSeededRandom(seed * 7919);
  FlightSim sim(seed, 1 + plan->Below(4));
  sim.StartNode();
  const size_t count = 3 + plan->Below(8), blocks = 10 + plan->Below(40);
  for (size_t i = 0; i < count; ++i) {
    sim.AddWorker(plan->Below(2), plan->Below(blocks + 1), plan->Below(3), blocks,
                  static_cast<int64_t>(1 + plan->Below(15)) * kMs);
  }
  MemNetworkFaults faults;
  if (plan->Below(2) == 0) faults.cut_per_mille = static_cast<uint32_t>(plan->Below(4));
  faults.partial_per_mille = static_cast<uint32_t>(plan->Below(400));
  faults.delay_per_mille = static_cast<uint32_t>(plan->Below(100));
  faults.max_delay_ns = 10 * kMs;
  sim.network()->set_faults(faults);
  for (auto& worker : sim.workers()) sim.Begin(worker.get());
  for (int event = 0; event < 4; ++event) {
    sim.world()->loop.RunUntil(sim.world()->loop.NowNs() + static_cast<int64_t>(plan->Below(200)) * kMs);
    sim.CheckAccounts();
    FlightWorker* victim = sim.workers()[plan->Below(count)].get();
    switch (plan->Below(4)) {
      case 0:
        if (!victim->dead()) {
          ++*deaths;
          sim.Spawn(victim->Kill());
        }
        break;
      case 1:
        if (!victim->dead()) ++*deaths;
        victim->Hang();
        break;
      case 2:
        ++*restarts;
        sim.RestartNode();
        break;
      default:
        // Nobody reaches the node for a while, shorter or longer than a lease.
        sim.network()->Freeze(sim.node()->address(), true);
        sim.world()->frozen = true;
        sim.world()->loop.RunUntil(sim.world()->loop.NowNs() + static_cast<int64_t>(plan->Below(600)) * kMs);
        sim.network()->Freeze(sim.node()->address(), false);
        sim.world()->frozen = false;
        // What a worker sent before it died may reach the node only now, and its lease starts then.
        sim.world()->last_computing_ns = sim.world()->loop.NowNs();
    }
  }
  sim.RunAll();
  for (auto& worker : sim.workers()) EXPECT_TRUE(worker->complete() || worker->dead());
  sim.network()->set_faults({});
  // A hung worker's claims have lapsed, its connections are still there.
  sim.CheckNothingIsLeft();
  const FlightWorld& world = *sim.world();
  totals->computed += world.computed;
  totals->loaded += world.loaded;
  totals->waits += world.waits;
  totals->takeovers += world.takeovers;
  totals->expired += world.expired;
}

TEST(SingleFlight, NoSeedBreaksIt) {
  const uint64_t first = CampaignSeed(), count = CampaignCount(40);
  FlightWorld totals;
  uint64_t deaths = 0, restarts = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    RunSeed(seed, &totals, &deaths, &restarts);
    if (::testing::Test::HasFailure()) return;
  }
  std::printf(
      "%lu seeds from %lu: %lu blocks computed, %lu loaded and verified, %lu waits (%lu in vain), %lu taken over, "
      "%lu deaths, %lu restarts\n",
      count, first, totals.computed, totals.loaded, totals.waits, totals.expired, totals.takeovers, deaths, restarts);
  EXPECT_GT(totals.loaded, count);
  EXPECT_GT(totals.waits, count);
  EXPECT_GT(totals.expired, 0u);
  EXPECT_GT(deaths, 0u);
}

}  // namespace
}  // namespace incipit
