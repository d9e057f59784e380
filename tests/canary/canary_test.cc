// Each of the product's seven defences is taken away in turn, and the simulation of whole clusters must notice. This
// program alone has the switch: the sources that hold a defence (cache/base/defence.h) are compiled once more for it.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "cache/base/defence.h"
#include "tests/support/campaign.h"
#include "tests/support/cluster_sim/whole_cluster_sim.h"

namespace incipit {

static Defence removed = Defence::kNone;

bool IsDefended(Defence defence) { return defence != removed; }

namespace {

using testing::CampaignCount;
using testing::CampaignSeed;
using testing::WholeClusterSim;

struct Canary {
  Defence defence;
  const char* name;
  uint64_t seeds;  // within which it must be caught
};

class CanaryTest : public ::testing::TestWithParam<Canary> {
 protected:
  void SetUp() override { removed = GetParam().defence; }
  void TearDown() override { removed = Defence::kNone; }
};

TEST_P(CanaryTest, IsCaughtByTheSimulation) {
  const uint64_t first = CampaignSeed();
  for (uint64_t seed = first; seed < first + GetParam().seeds; ++seed) {
    WholeClusterSim sim(seed);
    sim.Run();
    if (sim.violations().empty()) continue;
    std::printf("without %s: caught after %lu seeds: %s\n", GetParam().name, seed - first + 1,
                sim.violations()[0].c_str());
    return;
  }
  FAIL() << "without " << GetParam().name << " " << GetParam().seeds << " seeds from " << first << " found nothing";
}

INSTANTIATE_TEST_SUITE_P(Removed, CanaryTest,
                         ::testing::Values(Canary{Defence::kChecksum, "Checksum", 200},
                                           Canary{Defence::kEpoch, "Epoch", 200},
                                           Canary{Defence::kIdentity, "Identity", 200},
                                           Canary{Defence::kLeasePin, "LeasePin", 200},
                                           Canary{Defence::kTenant, "Tenant", 200},
                                           Canary{Defence::kPublishAfterVerify, "PublishAfterVerify", 200},
                                           Canary{Defence::kExtentReuse, "ExtentReuse", 200}),
                         [](const auto& test) { return std::string(test.param.name); });

// What catches the canaries is the missing defence, not this program.
TEST(CanaryControl, WithAllDefencesNothingIsFound) {
  const uint64_t first = CampaignSeed(), count = CampaignCount(10);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    WholeClusterSim sim(seed);
    sim.Run();
    EXPECT_TRUE(sim.violations().empty()) << "seed " << seed << ": " << sim.violations()[0];
  }
}

bool Mentions(const std::string& file, const std::string& what) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in.good()) << file;
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return bytes.find(what) != std::string::npos;
}

// All that the product is linked from; the last line shows that the search would find it.
TEST(CanaryControl, NoProductLibraryHasTheSwitch) {
  for (const char* library : {"base", "format", "runtime", "cluster", "member", "transport", "cache", "client"}) {
    EXPECT_FALSE(Mentions(std::string(INCIPIT_BINARY_DIR) + "/libincipit_" + library + ".a", "IsDefended")) << library;
  }
  EXPECT_TRUE(Mentions("/proc/self/exe", "IsDefended"));
}

}  // namespace
}  // namespace incipit
