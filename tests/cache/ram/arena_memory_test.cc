#include "cache/ram/arena_memory.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace incipit {
namespace {

TEST(ArenaMemoryTest, IsAlignedWritableAndZero) {
  for (const bool huge_pages : {false, true}) {
    absl::StatusOr<ArenaMemory> memory = ArenaMemory::Map(3 * kArenaAlignBytes, huge_pages);
    ASSERT_TRUE(memory.ok()) << memory.status();
    EXPECT_EQ(reinterpret_cast<uint64_t>(memory->base()) % kArenaAlignBytes, 0u);
    ASSERT_EQ(memory->bytes(), 3 * kArenaAlignBytes);
    ASSERT_TRUE(memory->Touch().ok());
    EXPECT_EQ(memory->base()[0], 0);
    memory->base()[0] = 1;
    memory->base()[memory->bytes() - 1] = 1;
  }
}

TEST(ArenaMemoryTest, SaysPlainWhenHugePagesAreNotWanted) {
  absl::StatusOr<ArenaMemory> memory = ArenaMemory::Map(kArenaAlignBytes, false);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_STREQ(memory->page_kind(), "plain");
}

TEST(ArenaMemoryTest, MovedFromLeavesTheMappingToItsNewOwner) {
  absl::StatusOr<ArenaMemory> memory = ArenaMemory::Map(kArenaAlignBytes, false);
  ASSERT_TRUE(memory.ok()) << memory.status();
  uint8_t* const base = memory->base();
  ArenaMemory owner = *std::move(memory);
  { const ArenaMemory dropped = std::move(*memory); }
  ASSERT_EQ(owner.base(), base);
  base[17] = 17;
  EXPECT_EQ(owner.base()[17], 17);
}

TEST(ArenaMemoryTest, MoreThanTheAddressSpaceIsResourceExhausted) {
  const absl::StatusOr<ArenaMemory> memory = ArenaMemory::Map(uint64_t{1} << 60, true);
  ASSERT_EQ(memory.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(memory.status().message().find("1152921504606846976 bytes") != absl::string_view::npos)
      << memory.status();
}

}  // namespace
}  // namespace incipit
