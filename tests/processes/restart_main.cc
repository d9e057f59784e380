// Restart of a large NVMe tier after kill -9: how long until it serves, and until it has indexed everything.
// campaign_restart BINARY; INCIPIT_CAMPAIGN_COUNT gigabytes of deepseek-v4.1-flash blocks, INCIPIT_SEED the sample.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

#include "cache/base/check.h"
#include "cache/seams/random.h"
#include "fmt/format.h"
#include "tests/processes/block_set.h"
#include "tests/processes/node_process.h"
#include "tests/support/campaign.h"

namespace incipit::campaign {
namespace {

constexpr int kThreads = 4;
constexpr uint64_t kBatch = 64;
constexpr uint64_t kSample = 2000;
constexpr uint32_t kDeadlineMs = 30'000;
constexpr uint64_t kGigabyte = 1'000'000'000;
constexpr double kServingTargetMs = 2000, kIndexedTargetMs = 5000;

Block FlashBlock(uint64_t number) { return {1, 0, KeyOfNumber(number)}; }

// Stores blocks [0, count), several clients at once; busy ones again. How many were stored.
uint64_t Fill(const std::string& address, uint64_t count) {
  std::atomic<uint64_t> next = 0, stored = 0;
  auto work = [&] {
    auto clients = BlockClients::Connect(address, kDeadlineMs);
    INCIPIT_CHECK(clients.ok(), "connect to the node");
    for (uint64_t first = next.fetch_add(kBatch); first < count; first = next.fetch_add(kBatch)) {
      std::vector<Block> blocks;
      for (uint64_t i = first; i < std::min(count, first + kBatch); ++i) blocks.push_back(FlashBlock(i));
      for (int attempt = 0; attempt < 20 && !blocks.empty(); ++attempt) {
        const auto result = (*clients)->Store(blocks);
        std::vector<Block> again;
        for (size_t i = 0; i < blocks.size(); ++i) {
          const bool held =
              result.ok() && (result->status[i] == BlockStatus::kOk || result->status[i] == BlockStatus::kPresent);
          if (!held) again.push_back(blocks[i]);
        }
        stored += blocks.size() - again.size();
        blocks = std::move(again);
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return stored;
}

bool Run(const std::string& binary, uint64_t gigabytes, uint64_t seed) {
  ScratchDirectory scratch;
  const std::string log = scratch.path() + "/node.log";
  // A tenth more than what is stored, and room for what a region of each shard leaves.
  const uint64_t capacity = gigabytes * kGigabyte / 10 * 11 + (2ull << 30);
  const std::vector<std::string> flags = {"--shards",       "2",
                                          "--ram",          "256MiB",
                                          "--nvme",         scratch.path() + "/nvme",
                                          "--nvme-bytes",   fmt::format("{}", capacity),
                                          "--region-bytes", "64MiB",
                                          "--log-level",    "warn"};
  auto node = NodeProcess::Start(binary, flags, log);
  INCIPIT_CHECK(node.ok(), std::string(node.status().message()).c_str());
  const uint64_t count = gigabytes * kGigabyte / BytesOf(FlashBlock(0));
  const double fill_start_ms = NowMs();
  const uint64_t stored = Fill((*node)->address(), count);
  const double fill_ms = NowMs() - fill_start_ms;
  (*node)->Kill9();

  node = NodeProcess::Start(binary, flags, log);
  INCIPIT_CHECK(node.ok(), std::string(node.status().message()).c_str());
  const double connect_start_ms = NowMs();
  auto clients = BlockClients::Connect((*node)->address(), kDeadlineMs);
  INCIPIT_CHECK(clients.ok(), "connect to the node");
  const double serving_ms = (*node)->start_ms() + NowMs() - connect_start_ms;
  const absl::StatusOr<double> recovered = (*clients)->WaitRecovered();
  const double indexed_ms = (*node)->start_ms() + NowMs() - connect_start_ms;
  const absl::StatusOr<uint64_t> records = (*clients)->Stat("nvme_recovered_records_total");

  auto random = MakeSeededRandom(seed);
  std::vector<Block> sample;
  for (uint64_t i = 0; i < std::min(kSample, count); ++i) sample.push_back(FlashBlock(random->Below(count)));
  Tally tally;
  (*clients)->LoadAll(sample, &tally);
  const int stopped = (*node)->Stop();
  const bool ok = tally.wrong == 0 && tally.unanswered == 0 && tally.hits > sample.size() / 2 && recovered.ok() &&
                  records.ok() && stored > count / 2 && stopped == 0;
  std::printf(
      "restart: %lu GB, %lu of %lu blocks of %lu bytes stored at %.2f GB/s, records recovered %lu, serving after %.0f "
      "ms "
      "(target %.0f), indexed after %.0f ms (target %.0f), sample hits %lu of %zu, wrong bytes %lu, seed %lu: %s\n",
      gigabytes, stored, count, BytesOf(FlashBlock(0)), static_cast<double>(gigabytes) * 1000 / fill_ms,
      records.value_or(0), serving_ms, kServingTargetMs, indexed_ms, kIndexedTargetMs, tally.hits, sample.size(),
      tally.wrong, seed, ok ? "ok" : "FAILED");
  if (!ok) std::printf("%s\n", TailOf(log).c_str());
  return ok;
}

}  // namespace
}  // namespace incipit::campaign

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s BINARY\n", argv[0]);
    return 2;
  }
  const uint64_t gigabytes = incipit::testing::CampaignCount(1), seed = incipit::testing::CampaignSeed();
  return incipit::campaign::Run(argv[1], gigabytes, seed) ? 0 : 1;
}
