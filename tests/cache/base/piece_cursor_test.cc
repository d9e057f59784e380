#include "cache/base/piece_cursor.h"

#include <gtest/gtest.h>

#include <numeric>

#include "cache/seams/random.h"

namespace incipit {
namespace {

// The bytes under the pieces.
std::vector<uint8_t> Flatten(const std::vector<iovec>& pieces) {
  std::vector<uint8_t> bytes;
  for (const iovec& piece : pieces) {
    const auto* data = static_cast<const uint8_t*>(piece.iov_base);
    bytes.insert(bytes.end(), data, data + piece.iov_len);
  }
  return bytes;
}

TEST(PieceCursor, TakesEveryByteOnceInOrder) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    auto random = MakeSeededRandom(seed);
    std::vector<uint8_t> memory(1000);
    std::iota(memory.begin(), memory.end(), 0);
    std::vector<iovec> pieces;
    for (size_t at = 0; at < 900;) {
      const size_t skip = random->Below(2) * random->Below(5);
      const size_t bytes = random->Below(40);  // none, too
      pieces.push_back({memory.data() + at + skip, bytes});
      at += skip + bytes + 1 - random->Below(2);
    }
    const std::vector<uint8_t> all = Flatten(pieces);
    ASSERT_EQ(BytesOf(pieces), all.size());
    uint64_t at = random->Below(all.size() + 1);
    PieceCursor cursor(pieces, at);
    while (at < all.size()) {
      const uint64_t bytes = 1 + random->Below(all.size() - at);
      std::vector<iovec> taken;
      cursor.Take(bytes, &taken);
      const auto begin = all.begin() + static_cast<int64_t>(at);
      EXPECT_EQ(Flatten(taken), std::vector<uint8_t>(begin, begin + static_cast<int64_t>(bytes)));
      at += bytes;
    }
  }
}

TEST(PieceCursor, NextGivesStretchesOfOnePiece) {
  std::vector<uint8_t> memory(100);
  uint8_t* const start = memory.data();
  const std::vector<iovec> pieces = {{start, 0}, {start, 30}, {start, 0}, {start + 50, 20}, {start, 0}};
  PieceCursor cursor(pieces, 10);
  const auto expect = [&cursor](uint64_t most, const uint8_t* data, size_t bytes) {
    const MutableBytes stretch = cursor.Next(most);
    EXPECT_EQ(stretch.size(), bytes);
    if (bytes > 0) {
      EXPECT_EQ(stretch.data(), data);
    }
  };
  expect(5, start + 10, 5);
  expect(100, start + 15, 15);
  expect(100, start + 50, 20);
  expect(100, nullptr, 0);
}

TEST(PieceCursor, NeighboursInMemoryBecomeOnePiece) {
  std::vector<uint8_t> memory(100);
  const std::vector<iovec> pieces = {{memory.data(), 100}};
  PieceCursor cursor(pieces, 10);
  std::vector<iovec> taken;
  for (int i = 0; i < 9; ++i) cursor.Take(10, &taken);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].iov_len, 90u);
}

TEST(PieceCursorDeathTest, TakingMoreThanThereIsAborts) {
  std::vector<uint8_t> memory(10);
  const std::vector<iovec> pieces = {{memory.data(), 10}};
  PieceCursor cursor(pieces, 4);
  std::vector<iovec> taken;
  EXPECT_DEATH(cursor.Take(7, &taken), "more bytes asked for");
}

}  // namespace
}  // namespace incipit
