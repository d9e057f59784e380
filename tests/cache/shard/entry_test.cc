#include "cache/shard/entry.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(EntryTable, IdsAreDenseAndFreedOnesComeBackEmpty) {
  EntryTable table;
  const BlockId first = table.Allocate(), second = table.Allocate();
  EXPECT_EQ(first, 0u);
  EXPECT_EQ(second, 1u);
  table.At(first).pins = 3;
  table.At(first).key.assign(64, 7);
  table.Free(first);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(table.Allocate(), first);
  EXPECT_EQ(table.At(first).pins, 0u);
  EXPECT_TRUE(table.At(first).key.empty());
}

TEST(EntryTable, EntriesStayInPlaceWhileTheTableGrows) {
  EntryTable table;
  Entry* first = &table.At(table.Allocate());
  for (int i = 0; i < 20000; ++i) table.Allocate();
  EXPECT_EQ(first, &table.At(0));
  EXPECT_EQ(table.end(), 20001u);
}

TEST(Entry, AnyUseKeepsIt) {
  EXPECT_FALSE(Entry{}.InUse());
  EXPECT_TRUE((Entry{.pins = 1}).InUse());
  EXPECT_TRUE((Entry{.readers = 1}).InUse());
  EXPECT_TRUE((Entry{.writing = true}).InUse());
}

TEST(Entry, RecordOfMaximalSizeDoesNotWrap) {
  EXPECT_EQ((Entry{.header_bytes = UINT32_MAX, .stored_bytes = UINT32_MAX}).RecordBytes(), 2 * uint64_t{UINT32_MAX});
}

}  // namespace
}  // namespace incipit
