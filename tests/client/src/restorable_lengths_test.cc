#include "client/src/restorable_lengths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/seams/random.h"

namespace incipit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using wire::Presence;

GroupSpec Group(std::string name, HitRule rule, uint32_t block_tokens, uint32_t window_tokens = 0) {
  return {.name = std::move(name),
          .rule = rule,
          .window_tokens = window_tokens,
          .block_tokens = block_tokens,
          .layers = 2,
          .bytes_per_entry = 8};
}

std::vector<Presence> From(const std::string& text) {
  std::vector<Presence> presence;
  for (char c : text) presence.push_back(c == 'r' ? Presence::kRam : c == 'n' ? Presence::kNvme : Presence::kMiss);
  return presence;
}

TEST(RestorableLengths, AllStopsAtTheFirstMiss) {
  const Layout layout{.name = "l", .groups = {Group("g", HitRule::kAll, 16)}};
  EXPECT_THAT(RestorableLengths(layout, {From("rrn.rr")}), ElementsAre(16, 32, 48));
  EXPECT_THAT(RestorableLengths(layout, {From(".rr")}), IsEmpty());
  EXPECT_THAT(RestorableLengths(layout, {From("")}), IsEmpty());
}

TEST(RestorableLengths, WindowNeedsOnlyItsEnd) {
  const Layout layout{.name = "l", .groups = {Group("g", HitRule::kWindow, 16, 40)}};
  // A restore at L needs the blocks from floor((L - 40) / 16) on.
  EXPECT_THAT(RestorableLengths(layout, {From("r.rrrrr")}), ElementsAre(16, 80, 96, 112));
}

TEST(RestorableLengths, CheckpointNeedsItsOneState) {
  const Layout layout{.name = "l", .groups = {Group("g", HitRule::kCheckpoint, 32)}};
  EXPECT_THAT(RestorableLengths(layout, {From(".r.r")}), ElementsAre(64, 128));
}

TEST(RestorableLengths, GroupsMustAgree) {
  const Layout layout{.name = "l", .groups = {Group("a", HitRule::kAll, 16), Group("c", HitRule::kCheckpoint, 32)}};
  EXPECT_THAT(RestorableLengths(layout, {From("rrrrr.rr"), From("rrrr")}), ElementsAre(32, 64));
  EXPECT_THAT(RestorableLengths(layout, {From("rrrrr"), From(".rrr")}), ElementsAre(64));
  EXPECT_THAT(RestorableLengths(layout, {From("rrrrrr"), From("")}), IsEmpty()) << "a group without keys";
}

// Straight from the definition, without any cleverness.
bool RestorableByDefinition(const Layout& layout, const GroupPresence& presence, uint64_t tokens) {
  for (size_t g = 0; g < layout.groups.size(); ++g) {
    const GroupSpec& group = layout.groups[g];
    if (tokens % group.block_tokens != 0) return false;
    for (uint64_t t = 0; t < tokens; ++t) {
      const bool needed = group.rule == HitRule::kAll ||
                          (group.rule == HitRule::kWindow && t + group.window_tokens >= tokens) ||
                          (group.rule == HitRule::kCheckpoint && t + 1 == tokens);
      const uint64_t block = t / group.block_tokens;
      if (needed && (block >= presence[g].size() || presence[g][block] == Presence::kMiss)) return false;
    }
  }
  return true;
}

TEST(RestorableLengths, EqualsTheDefinitionForAllRules) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    auto random = MakeSeededRandom(seed);
    Layout layout{.name = "l"};
    GroupPresence presence;
    const uint64_t groups = 1 + random->Below(3);
    for (uint64_t g = 0; g < groups; ++g) {
      const auto rule = static_cast<HitRule>(random->Below(3));
      const auto window = static_cast<uint32_t>(rule == HitRule::kWindow ? 1 + random->Below(40) : 0);
      const uint32_t sizes[] = {1, 2, 3, 4, 6, 8};
      layout.groups.push_back(Group(std::string(1, static_cast<char>('a' + g)), rule, sizes[random->Below(6)], window));
      std::vector<Presence>& blocks = presence.emplace_back(random->Below(60));
      const uint64_t miss_percent = random->Below(40);
      for (Presence& block : blocks) {
        block = random->Below(100) < miss_percent ? Presence::kMiss : static_cast<Presence>(1 + random->Below(2));
      }
    }
    ASSERT_TRUE(layout.Validate().ok());
    std::vector<uint64_t> expected;
    for (uint64_t tokens = 1; tokens <= 60 * 8; ++tokens) {
      if (RestorableByDefinition(layout, presence, tokens)) expected.push_back(tokens);
    }
    EXPECT_EQ(RestorableLengths(layout, presence), expected);
  }
}

TEST(BytesToRestore, CountsWhatEachRuleNeedsByTier) {
  const Layout layout{.name = "l",
                      .groups = {Group("a", HitRule::kAll, 16), Group("w", HitRule::kWindow, 16, 20),
                                 Group("c", HitRule::kCheckpoint, 16)}};
  const GroupPresence presence = {From("rrnn"), From(".rrn"), From("...r")};
  const TierBytes bytes = BytesToRestore(layout, presence, 64);
  const uint64_t block = 16 * 8 * 2;  // of "a" and "w"
  const uint64_t checkpoint = 8 * 2;
  EXPECT_EQ(bytes.ram, 2 * block + block + checkpoint);
  EXPECT_EQ(bytes.nvme, 2 * block + block);
  EXPECT_EQ(BytesToRestore(layout, presence, 0).ram, 0u);
}

}  // namespace
}  // namespace incipit
