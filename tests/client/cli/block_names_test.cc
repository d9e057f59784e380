#include "client/cli/block_names.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace incipit {
namespace {

TEST(BlockNamesTest, EveryStatusHasItsOwnName) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(wire::kLastBlockStatus); ++i) {
    names.insert(BlockStatusName(static_cast<BlockStatus>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(wire::kLastBlockStatus) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(BlockNamesTest, NamesThatScriptsUseStay) {
  EXPECT_STREQ(BlockStatusName(BlockStatus::kMiss), "miss");
  EXPECT_STREQ(BlockStatusName(BlockStatus::kConflict), "conflict");
  EXPECT_STREQ(PresenceName(Presence::kMiss), "miss");
  EXPECT_STREQ(PresenceName(Presence::kRam), "ram");
  EXPECT_STREQ(PresenceName(Presence::kNvme), "nvme");
}

}  // namespace
}  // namespace incipit
