#include "cache/shard/block_index.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

class BlockIndexTest : public testing::Test {
 protected:
  BlockId Add(BlockIndex* index, Hash128 hash) {
    const BlockId id = entries_.Allocate();
    entries_.At(id).hash = index->Trim(hash);
    index->Insert(id);
    return id;
  }
  EntryTable entries_;
};

TEST_F(BlockIndexTest, FindsByAllBitsOfTheHash) {
  BlockIndex index(&entries_, 128);
  const BlockId a = Add(&index, {1, 1}), b = Add(&index, {1, 2});
  EXPECT_EQ(index.Probe({1, 1}), a);
  EXPECT_EQ(index.Probe({1, 2}), b);
  EXPECT_EQ(index.Probe({1, 3}), kNoBlock);
  EXPECT_EQ(index.Probe({2, 1}), kNoBlock);
  EXPECT_EQ(index.size(), 2u);
}

TEST_F(BlockIndexTest, ErasedBlockIsNotFoundAndItsIdMayBeUsedAgain) {
  BlockIndex index(&entries_, 128);
  const BlockId first = Add(&index, {1, 1});
  index.Erase(first);
  entries_.Free(first);
  EXPECT_EQ(index.Probe({1, 1}), kNoBlock);
  EXPECT_EQ(Add(&index, {9, 9}), first);
  EXPECT_EQ(index.Probe({1, 1}), kNoBlock);
  EXPECT_EQ(index.Probe({9, 9}), first);
}

TEST_F(BlockIndexTest, TrimmedHashesCollide) {
  const BlockIndex index(&entries_, 8);
  EXPECT_EQ(index.Trim({0x1234, 77}), (Hash128{0x34, 0}));
  const BlockIndex wide(&entries_, 72);
  EXPECT_EQ(wide.Trim({~0ull, 0x1234}), (Hash128{~0ull, 0x34}));
  const BlockIndex whole(&entries_, 128);
  EXPECT_EQ(whole.Trim({~0ull, ~0ull}), (Hash128{~0ull, ~0ull}));
  const BlockIndex none(&entries_, 0);
  EXPECT_EQ(none.Trim({~0ull, ~0ull}), (Hash128{0, 0}));
}

}  // namespace
}  // namespace incipit
