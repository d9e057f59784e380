#include "eviction/block_array.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

struct Element {
  uint32_t value = 7;
};

TEST(BlockArrayTest, ElementsAreMadeByDefaultAndKeepTheirPlace) {
  BlockArray<Element> array;
  EXPECT_EQ(array.size(), 0u);
  array.Reach(3);
  EXPECT_GT(array.size(), 3u);
  EXPECT_EQ(array[3].value, 7u);
  array[3].value = 1;
  const Element* before = &array[3];
  array.Reach(100'000);
  EXPECT_EQ(&array[3], before);
  EXPECT_EQ(array[3].value, 1u);
  EXPECT_EQ(array[100'000].value, 7u);
}

TEST(BlockArrayTest, TakesLittleMoreThanItsElements) {
  BlockArray<Element> array;
  array.Reach(150'000 - 1);
  EXPECT_GE(array.MemoryBytes(), 150'000 * sizeof(Element));
  EXPECT_LE(array.MemoryBytes(), 155'000 * sizeof(Element));
}

}  // namespace
}  // namespace incipit
