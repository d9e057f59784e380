#include "bench/plan/sizing/recommendation.h"

#include <gtest/gtest.h>

#include "eviction/policies.h"

namespace incipit::bench {
namespace {

RowSizing Sizing(double net, bool endurance = true, bool slo = true) {
  RowSizing sizing;
  sizing.has_rates = true;
  sizing.saved_dollars_per_hour = net;
  sizing.written_bytes_per_day = endurance ? 0 : 1;
  sizing.slo_in_reach = slo;
  sizing.nodes_for_slo = 1;
  return sizing;
}

TEST(RecommendationTest, TheBestEarnsMostOfThoseThatKeepWhatIsPromised) {
  const RowSizing little = Sizing(1), much = Sizing(5), wears = Sizing(9, false), slow = Sizing(9, true, false);
  EXPECT_EQ(BestOf({{"lru", &little}, {"lru", &wears}, {"lru", &much}, {"lru", &slow}}), 2u);
  EXPECT_EQ(BestOf({{"lru", &wears}, {"lru", &slow}}), 0u) << "of equals the first";
}

TEST(RecommendationTest, AnyPolicyMayWin) {
  const RowSizing little = Sizing(1), much = Sizing(5);
  EXPECT_EQ(BestOf({{kDefaultPolicy, &little}, {"arc", &much}}), 1u);
}

TEST(RecommendationTest, WithoutRatesThereIsNone) {
  EXPECT_EQ(BestOf({}), std::nullopt);
  const RowSizing none;
  EXPECT_EQ(BestOf({{"lru", &none}}), std::nullopt);
}

TEST(RecommendationTest, NotesSayWhatSpeaksAgainstIt) {
  const RowSizing good = Sizing(1), bad = Sizing(-1, false, false);
  EXPECT_TRUE(NotesOn({"lru", &good}).empty());
  EXPECT_EQ(NotesOn({kDefaultPolicy, &good}).size(), 1u) << "its shards know less than one that sees all";
  EXPECT_EQ(NotesOn({"arc", &bad}).size(), 4u);
}

TEST(RecommendationTest, NodesShareTheTierInWholeGiB) {
  RowSizing sizing = Sizing(1);
  sizing.nodes_for_slo = 4;
  sizing.ram_bytes = (uint64_t{10} << 30) + 4;
  EXPECT_EQ(ServeCommand({kDefaultPolicy, &sizing}), "incipit serve --ram 3GiB");
  EXPECT_EQ(ServeCommand({"lru", &sizing}), "incipit serve --ram 3GiB --eviction lru");
  sizing.nvme_bytes = uint64_t{400} << 30;
  EXPECT_EQ(ServeCommand({kDefaultPolicy, &sizing}),
            "incipit serve --ram 3GiB --nvme /var/lib/incipit --nvme-bytes 100GiB");
  sizing.nvme_bytes += 1;
  sizing.ram_bytes = 1;
  EXPECT_EQ(ServeCommand({kDefaultPolicy, &sizing}),
            "incipit serve --ram 1GiB --nvme /var/lib/incipit --nvme-bytes 101GiB");
  EXPECT_EQ(ServeCommand({"arc", &sizing}),
            "incipit serve --ram 1GiB --nvme /var/lib/incipit --nvme-bytes 101GiB --eviction arc");
}

}  // namespace
}  // namespace incipit::bench
