// Loss of power at every single operation of a scenario that goes through all the tier does.
#include <gtest/gtest.h>

#include "tests/cache/nvme/tier_fixture.h"

namespace incipit {
namespace {

using testing::MakeContents;
using testing::SmallOptions;
using testing::TierNode;

// What may and what must be found after a crash.
struct Ledger {
  std::map<uint64_t, std::set<uint64_t>> written;  // versions that an append was ever tried with
  std::map<uint64_t, uint64_t> durable;            // present at the end of a flush: must be found, or a newer one
  std::set<uint64_t> removed;                      // removed at the end of a flush, not stored since: must not be found
  std::set<uint64_t> touched;                      // changed since that flush: anything goes
};

absl::Status FlushAndNote(TierNode* node, Ledger* ledger) {
  absl::Status status = node->Flush();
  if (!status.ok()) return status;
  // What reclaim dropped or the host evicted may be gone or not; both are legal.
  for (const uint64_t n : ledger->touched) {
    ledger->durable.erase(n);
    ledger->removed.erase(n);
    if (node->host.index.contains(n)) ledger->durable[n] = *ledger->written[n].rbegin();
  }
  return status;
}

// Ends early at the first step that fails: the crash.
void RunScenario(TierNode* node, Ledger* ledger, uint64_t base_version) {
  if (!node->Start().ok()) return;
  std::unique_ptr<Random> random = MakeSeededRandom(base_version);
  for (uint64_t i = 0; i < 90; ++i) {
    const uint64_t n = random->Below(24);
    const uint64_t version = base_version + i;
    ledger->touched.insert(n);
    ledger->removed.erase(n);
    ledger->written[n].insert(version);
    if (!node->Put(n, version, 300 + random->Below(9'000), 2).ok()) return;
    if (i % 7 == 3) {
      const uint64_t gone = random->Below(24);
      ledger->touched.insert(gone);
      ledger->durable.erase(gone);
      if (!node->Remove(gone).ok()) return;
      ledger->written[gone].clear();
      if (!node->Flush().ok()) return;
      ledger->removed.insert(gone);
    }
    if (i % 10 == 9) {
      if (!FlushAndNote(node, ledger).ok()) return;
      ledger->touched.clear();
    }
  }
  node->Exit().IgnoreError();
}

void CheckAfterCrash(TierNode* node, const Ledger& ledger) {
  ASSERT_TRUE(node->Start().ok());
  for (const auto& [n, version] : ledger.durable) {
    if (ledger.touched.contains(n)) continue;
    EXPECT_TRUE(node->host.index.contains(n)) << "lost " << n;
  }
  for (const auto& [n, block] : node->host.index) {
    EXPECT_FALSE(ledger.removed.contains(n)) << "came back: " << n;
    uint64_t version = 0;
    absl::Status got = node->Get(n, &version);
    EXPECT_TRUE(got.ok()) << n << ": " << got;
    auto durable = ledger.durable.find(n);
    if (durable != ledger.durable.end()) {
      EXPECT_GE(version, durable->second) << n;
    }
  }
  // And it goes on working.
  for (uint64_t n = 100; n < 104; ++n) EXPECT_TRUE(node->Put(n, 1, 5'000).ok());
  EXPECT_TRUE(node->GetAll().ok());
}

NvmeOptions TinyOptions() {
  NvmeOptions options = SmallOptions();
  options.region_bytes = 64 << 10;
  return options;
}

TEST(Crash, AtEveryDiskOperationNothingIsWrongAndNothingFlushedIsLost) {
  const NvmeOptions options = TinyOptions();
  uint64_t k = 1;
  for (bool completed = false; !completed; ++k) {
    SCOPED_TRACE(absl::StrCat("crash at operation ", k));
    std::shared_ptr<MemDiskContents> contents = MakeContents(options, 8);
    Ledger ledger;
    {
      TierNode node(contents, options, k);
      node.faulty.CrashAtOperation(k, [&] { node.disk.Crash(node.random.get()); });
      RunScenario(&node, &ledger, 1'000);
      completed = !node.faulty.crashed();
    }
    TierNode after(contents, options, k + 1);
    CheckAfterCrash(&after, ledger);
    if (HasFailure()) return;
  }
  EXPECT_GT(k, 130u);
}

TEST(Crash, AgainAndAgainOnTheSameDevice) {
  const NvmeOptions options = TinyOptions();
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    std::shared_ptr<MemDiskContents> contents = MakeContents(options, 8);
    std::unique_ptr<Random> random = MakeSeededRandom(seed);
    Ledger ledger;
    for (uint64_t round = 0; round < 12; ++round) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, " round ", round));
      {
        TierNode node(contents, options, seed * 1'000 + round);
        node.faulty.CrashAtOperation(1 + random->Below(300), [&] { node.disk.Crash(node.random.get()); });
        RunScenario(&node, &ledger, (round + 1) * 1'000);
      }
      auto copy = std::make_shared<MemDiskContents>(*contents);
      TierNode after(copy, options, seed * 1'000 + round);
      CheckAfterCrash(&after, ledger);
      if (HasFailure()) return;
      // What was lost by right is not expected in the next round.
      for (const uint64_t n : ledger.touched) {
        ledger.durable.erase(n);
        ledger.removed.erase(n);
      }
      ledger.touched.clear();
    }
  }
}

}  // namespace
}  // namespace incipit
