#include "cache/runtime/file_system_name.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(FileSystemName, KnowsCommonOnesAndShowsOthersInHex) {
  EXPECT_EQ(FileSystemName(0xEF53), "ext4");
  EXPECT_EQ(FileSystemName(0x58465342), "xfs");
  EXPECT_EQ(FileSystemName(0x1234), "type 0x1234");
}

}  // namespace
}  // namespace incipit
