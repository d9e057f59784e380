// Whole clusters of 3 to 9 nodes, one seed after the other: tests/support/cluster_sim says what happens to them.
// INCIPIT_CAMPAIGN_COUNT, INCIPIT_SEED; tests/campaigns/run_cluster_sim runs many.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/campaign.h"
#include "tests/support/cluster_sim/whole_cluster_sim.h"

namespace incipit {
namespace {

using testing::CampaignCount;
using testing::CampaignSeed;
using testing::ClusterSimTotals;
using testing::WholeClusterSim;

constexpr uint64_t kSeedsForAllFaults = 20;

void Add(const ClusterSimTotals& one, ClusterSimTotals* all) {
  for (const auto field : {&ClusterSimTotals::hits,
                           &ClusterSimTotals::misses,
                           &ClusterSimTotals::stored,
                           &ClusterSimTotals::calls,
                           &ClusterSimTotals::control_messages,
                           &ClusterSimTotals::maps,
                           &ClusterSimTotals::crashes,
                           &ClusterSimTotals::pauses,
                           &ClusterSimTotals::partitions,
                           &ClusterSimTotals::zombies,
                           &ClusterSimTotals::fenced,
                           &ClusterSimTotals::drains,
                           &ClusterSimTotals::keeper_losses,
                           &ClusterSimTotals::keeper_absences,
                           &ClusterSimTotals::clock_jumps,
                           &ClusterSimTotals::disk_faults,
                           &ClusterSimTotals::network_faults,
                           &ClusterSimTotals::leases_checked,
                           &ClusterSimTotals::found_elsewhere,
                           &ClusterSimTotals::taken_over,
                           &ClusterSimTotals::drains_ended,
                           &ClusterSimTotals::given_away}) {
    all->*field += one.*field;
  }
  all->longest_convergence_ns = std::max(all->longest_convergence_ns, one.longest_convergence_ns);
}

TEST(WholeCluster, NoSeedBreaksAPromise) {
  const uint64_t first = CampaignSeed(), count = CampaignCount(25);
  ClusterSimTotals all;
  uint64_t broken = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    WholeClusterSim sim(seed);
    sim.Run();
    Add(sim.totals(), &all);
    broken += !sim.violations().empty();
    for (const std::string& violation : sim.violations()) ADD_FAILURE() << "seed " << seed << ": " << violation;
    if (broken >= 5) break;
  }
  std::printf(
      "%lu seeds from %lu: %lu calls, %lu hits verified, %lu blocks stored, %lu leases; %lu maps taken; %lu crashes, "
      "%lu pauses, %lu partitions, %lu zombies (%lu fenced), %lu drains (%lu to their end), keeper %lu times without "
      "data and %lu away, "
      "%lu clock jumps, %lu disk faults, %lu network faults; %lu blocks found at previous owners, %lu "
      "taken over from there, %lu given away by drains; all maps one within %.1f s; %lu seeds broken\n",
      count, first, all.calls, all.hits, all.stored, all.leases_checked, all.maps, all.crashes, all.pauses,
      all.partitions, all.zombies, all.fenced, all.drains, all.drains_ended, all.keeper_losses, all.keeper_absences,
      all.clock_jumps, all.disk_faults, all.network_faults, all.found_elsewhere, all.taken_over, all.given_away,
      static_cast<double>(all.longest_convergence_ns) / 1e9, broken);
  EXPECT_GT(all.hits, count * 20);
  if (count < kSeedsForAllFaults) return;
  // Every kind of fault was met.
  for (const uint64_t met : {all.crashes, all.pauses, all.partitions, all.zombies, all.fenced, all.drains,
                             all.keeper_losses, all.keeper_absences, all.clock_jumps, all.network_faults,
                             all.found_elsewhere, all.taken_over, all.drains_ended, all.given_away}) {
    EXPECT_GT(met, 0u);
  }
}

TEST(WholeCluster, SameSeedGivesTheSameHistory) {
  for (const uint64_t seed : {7u, 8u, 9u}) {
    WholeClusterSim one(seed), two(seed);
    one.Run();
    two.Run();
    EXPECT_EQ(one.history(), two.history()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace incipit
