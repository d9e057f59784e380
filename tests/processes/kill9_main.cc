// kill -9 of a real node under load, many times: no wrong byte, and what was sealed on NVMe is a hit afterwards.
// campaign_kill9 BINARY; INCIPIT_CAMPAIGN_COUNT kills, INCIPIT_SEED chooses workload and moments.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include "cache/base/check.h"
#include "cache/seams/random.h"
#include "fmt/format.h"
#include "tests/processes/block_set.h"
#include "tests/processes/kill9_worker.h"
#include "tests/processes/node_process.h"
#include "tests/processes/sealed_blocks.h"
#include "tests/support/campaign.h"

namespace incipit::campaign {
namespace {

constexpr int kShards = 2;
constexpr int kThreads = 3;
constexpr uint64_t kRemovedChecked = 4000;  // after each restart, the newest
constexpr uint32_t kCheckDeadlineMs = 30'000;
constexpr uint64_t kShortestRunMs = 50, kLongestRunMs = 1500;

class Kill9 {
 public:
  Kill9(std::string binary, uint64_t seed)
      : binary_(std::move(binary)), random_(MakeSeededRandom(seed)), log_(scratch_.path() + "/node.log") {
    for (int i = 0; i < kThreads; ++i) {
      workers_.push_back(std::make_unique<Kill9Worker>(seed * 1000 + i, (uint64_t{1} + i) << 40));
    }
  }

  // One life: serve, be checked against what was sealed before it, work, die. False: stop here.
  bool Live() {
    auto node = NodeProcess::Start(binary_, Flags(), log_);
    if (!node.ok()) return Violation(std::string(node.status().message()));
    if (!Check(node->get())) return false;
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (auto& worker : workers_) {
      threads.emplace_back([&worker, &node, &stop] { worker->Run((*node)->address(), &stop); });
    }
    usleep(static_cast<useconds_t>(1000 * (kShortestRunMs + random_->Below(kLongestRunMs - kShortestRunMs))));
    const bool alive = (*node)->Alive();
    (*node)->Kill9();
    stop = true;
    for (std::thread& thread : threads) thread.join();
    ++kills_;
    if (!alive) return Violation("the node ended on its own; its log follows");
    return ReadSealed();
  }

  bool Summarize() const {
    Tally work;
    uint64_t stored = 0, conflicts = 0;
    for (const auto& worker : workers_) {
      work.hits += worker->tally.hits;
      work.wrong += worker->tally.wrong;
      stored += worker->stored;
      conflicts += worker->conflicts;
      for (const std::string& example : worker->tally.examples) {
        if (worker->tally.wrong > 0) std::printf("  under load: %s\n", example.c_str());
      }
    }
    const uint64_t wrong = work.wrong + sealed_.wrong + others_.wrong + removed_.wrong;
    for (const Tally* tally : {&sealed_, &others_}) {
      for (const std::string& example : tally->examples) {
        if (tally == &sealed_ || others_.wrong > 0) std::printf("  after a restart: %s\n", example.c_str());
      }
    }
    std::printf(
        "kill9: kills %lu, blocks stored %lu, blocks verified %lu, sealed blocks checked %lu (missing %lu, unanswered "
        "%lu), removed blocks checked %lu (back %lu), conflicts %lu, wrong bytes %lu, restart to serving %s, to "
        "indexed %s\n",
        kills_, stored, work.hits + sealed_.hits + others_.hits, sealed_.hits + sealed_.misses, sealed_.misses,
        sealed_.unanswered, removed_.hits + removed_.misses, removed_.hits, conflicts, wrong,
        Spread(serving_ms_).c_str(), Spread(indexed_ms_).c_str());
    return !violated_ && wrong == 0 && sealed_.misses == 0 && sealed_.unanswered == 0 && removed_.hits == 0 &&
           conflicts == 0 && sealed_.hits > 0 && kills_ > 0;
  }
  void PrintLog() const { std::printf("%s\n", TailOf(log_).c_str()); }
  // The last life is not killed: it is checked, and then stopped in order.
  bool Finish() {
    auto node = NodeProcess::Start(binary_, Flags(), log_);
    if (!node.ok()) return Violation(std::string(node.status().message()));
    if (!Check(node->get())) return false;
    const int status = (*node)->Stop();
    return status == 0 || Violation(fmt::format("an orderly stop ended with {}", status));
  }

 private:
  std::vector<std::string> Flags() const {
    return {"--shards",       fmt::format("{}", kShards),
            "--ram",          "64MiB",
            "--nvme",         scratch_.path() + "/nvme",
            "--nvme-bytes",   "256MiB",
            "--region-bytes", "8MiB",
            "--log-level",    "warn"};
  }
  bool Violation(const std::string& what) {
    std::printf("  violation after %lu kills: %s\n", kills_, what.c_str());
    violated_ = true;
    return false;
  }

  bool ReadSealed() {
    expected_ = {};
    for (int shard = 0; shard < kShards; ++shard) {
      const std::string path = fmt::format("{}/nvme/shard-{}.incipit", scratch_.path(), shard);
      const absl::Status status = AddSealedBlocks(path, &expected_);
      if (!status.ok()) return Violation(status.ToString());
    }
    return true;
  }

  bool Check(NodeProcess* node) {
    auto clients = BlockClients::Connect(node->address(), kCheckDeadlineMs);
    if (!clients.ok()) return Violation(clients.status().ToString());
    const absl::StatusOr<double> recovered = (*clients)->WaitRecovered();
    if (!recovered.ok()) return Violation(recovered.status().ToString());
    if (kills_ > 0) {
      serving_ms_.push_back(node->start_ms());
      indexed_ms_.push_back(node->start_ms() + *recovered);
    }
    std::vector<Block> sealed, removed, others;
    for (const auto& worker : workers_) {
      const std::vector<Block> remembered = worker->Remembered();
      others.insert(others.end(), remembered.begin(), remembered.end());
      removed.insert(removed.end(), worker->removed().begin(), worker->removed().end());
    }
    for (const auto& [identity, sequence] : expected_.live) {
      const absl::StatusOr<Block> block = BlockOf(AsBytes(identity));
      if (!block.ok()) return Violation(block.status().ToString());
      // The removal of such a block may lie in a region that was not sealed.
      if (!Kill9Worker::Removable(*block)) sealed.push_back(*block);
    }
    const uint64_t missing = sealed_.misses + sealed_.unanswered;
    (*clients)->LoadAll(sealed, &sealed_);
    if (removed.size() > kRemovedChecked) removed.erase(removed.begin(), removed.end() - kRemovedChecked);
    (*clients)->LoadAll(removed, &removed_);
    (*clients)->LoadAll(others, &others_);
    if (sealed_.misses + sealed_.unanswered > missing) {
      return Violation("a sealed block is not a hit; the node counts " + Counters(clients->get()));
    }
    if (removed_.hits > 0) return Violation("a removed block is back");
    return sealed_.wrong + others_.wrong == 0 || Violation("wrong bytes after a restart");
  }
  static std::string Counters(BlockClients* clients) {
    std::string text;
    for (const char* name : {"nvme_recovered_records_total", "evicted_from_nvme_total", "evicted_from_ram_total",
                             "lost_in_reclaim_total", "nvme_regions_reclaimed_total", "damaged_on_nvme_total",
                             "nvme_damaged_records_total", "promoted_total", "nvme_valued_bytes", "nvme_spare_bytes",
                             "nvme_capacity_bytes", "nvme_regions_free", "nvme_written_bytes_total"}) {
      text += fmt::format("{} {} ", name, clients->Stat(name).value_or(0));
    }
    return text;
  }
  static std::string Spread(std::vector<double> values) {
    if (values.empty()) return "-";
    std::sort(values.begin(), values.end());
    return fmt::format("{:.0f} ms median, {:.0f} worst", values[values.size() / 2], values.back());
  }

  ScratchDirectory scratch_;
  std::string binary_;
  std::unique_ptr<Random> random_;
  std::string log_;
  std::vector<std::unique_ptr<Kill9Worker>> workers_;
  SealedBlocks expected_;
  Tally sealed_, others_, removed_;
  std::vector<double> serving_ms_, indexed_ms_;
  uint64_t kills_ = 0;
  bool violated_ = false;
};

}  // namespace
}  // namespace incipit::campaign

int main(int argc, char** argv) {
  using incipit::campaign::Kill9;
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s BINARY\n", argv[0]);
    return 2;
  }
  const uint64_t kills = incipit::testing::CampaignCount(5), seed = incipit::testing::CampaignSeed();
  Kill9 campaign(argv[1], seed);
  bool ok = true;
  for (uint64_t i = 0; i < kills && ok; ++i) ok = campaign.Live();
  ok = ok && campaign.Finish();
  ok = campaign.Summarize() && ok;
  std::printf("kill9: seed %lu: %s\n", seed, ok ? "ok" : "FAILED");
  if (!ok) campaign.PrintLog();
  return ok ? 0 : 1;
}
