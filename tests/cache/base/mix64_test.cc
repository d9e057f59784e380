#include "cache/base/mix64.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

// splitmix64 from seed 0 gives Mix64 of multiples of its increment; these are its first numbers as published.
TEST(Mix64, GivesThePublishedNumbersOfSplitmix64) {
  constexpr uint64_t kIncrement = 0x9e3779b97f4a7c15;
  EXPECT_EQ(Mix64(kIncrement), 0xe220a8397b1dcdafu);
  EXPECT_EQ(Mix64(2 * kIncrement), 0x6e789e6aa1b965f4u);
  EXPECT_EQ(Mix64(3 * kIncrement), 0x06c45d188009454fu);
}

}  // namespace
}  // namespace incipit
