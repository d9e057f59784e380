#include "client/cli/doctor/units.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(FormatBytesTest, TakesTheLargestUnitThatKeepsThreeFigures) {
  EXPECT_EQ(FormatBytes(0), "0 bytes");
  EXPECT_EQ(FormatBytes(1023), "1023 bytes");
  EXPECT_EQ(FormatBytes(1024), "1 KiB");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(256ull << 20), "256 MiB");
  EXPECT_EQ(FormatBytes(1023ull << 20), "0.999 GiB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "1.64e+04 PiB");
}

}  // namespace
}  // namespace incipit
