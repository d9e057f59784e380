#include "cache/base/bytes.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(Bytes, AlignmentMovesOnlyWhatIsNotAligned) {
  EXPECT_EQ(AlignUp(0, 4096), 0u);
  EXPECT_EQ(AlignUp(1, 4096), 4096u);
  EXPECT_EQ(AlignUp(4096, 4096), 4096u);
  EXPECT_EQ(AlignDown(4095, 4096), 0u);
  EXPECT_EQ(AlignDown(4096, 4096), 4096u);
  EXPECT_EQ(AlignUp((1ull << 40) + 1, 1ull << 20), (1ull << 40) + (1ull << 20));
}

TEST(Bytes, TextKeepsZerosBothWays) {
  const std::string_view text("a\0b", 3);
  EXPECT_EQ(AsBytes(text).size(), 3u);
  EXPECT_EQ(AsText(AsBytes(text)), text);
}

}  // namespace
}  // namespace incipit
