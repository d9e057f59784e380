#include "cache/ram/arena.h"

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace incipit {
namespace {

std::unique_ptr<Arena> MakeArena(uint64_t bytes) {
  absl::StatusOr<std::unique_ptr<Arena>> arena = Arena::Create({.bytes = bytes, .huge_pages = false, .touch = false});
  EXPECT_TRUE(arena.ok()) << arena.status();
  return *std::move(arena);
}

TEST(ArenaTest, SizeIsRoundedDownToWholeLargestExtents) {
  EXPECT_EQ(MakeArena(9 * kMiB)->stats().capacity_bytes, 8 * kMiB);
  EXPECT_EQ(Arena::Create({.bytes = 4 * kMiB - 1}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Arena::Create({.bytes = uint64_t{1} << 50}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ArenaTest, ZeroAndOversizedAllocationsAreRefused) {
  auto arena = MakeArena(128 * kMiB);
  EXPECT_EQ(arena->Allocate(0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(arena->Allocate(kMaxAllocationBytes + 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(arena->Allocate(kMaxAllocationBytes).ok());
}

TEST(ArenaTest, FailedAllocationTakesNothing) {
  auto arena = MakeArena(8 * kMiB);
  ASSERT_TRUE(arena->Allocate(6 * kMiB).ok());
  const uint64_t free_bytes = arena->FreeBytes();
  EXPECT_EQ(arena->Allocate(2 * kMiB + 1).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(arena->FreeBytes(), free_bytes);
  EXPECT_EQ(arena->stats().allocations, 1u);
  EXPECT_TRUE(arena->Allocate(2 * kMiB).ok());
  EXPECT_EQ(arena->FreeBytes(), 0u);
}

TEST(ArenaTest, SliceGivesTheBytesOfTheRangeInOrder) {
  auto arena = MakeArena(8 * kMiB);
  ASSERT_TRUE(arena->Allocate(128).ok());  // so that the pieces do not lie side by side
  const uint64_t bytes = 57001;
  auto extents = arena->Allocate(bytes);
  ASSERT_TRUE(extents.ok());
  std::vector<iovec> whole;
  arena->Slice(*extents, 0, bytes, &whole);
  ASSERT_GT(whole.size(), 1u);
  uint64_t at = 0;
  for (const iovec& piece : whole) {
    auto* data = static_cast<uint8_t*>(piece.iov_base);
    for (size_t i = 0; i < piece.iov_len; ++i) data[i] = static_cast<uint8_t>(at++ % 251);
  }
  ASSERT_EQ(at, bytes);
  for (const auto& [offset, length] : std::vector<std::pair<uint64_t, uint64_t>>{
           {0, 1}, {bytes - 1, 1}, {32767, 2}, {100, 50000}, {40000, 17001}, {0, 0}, {bytes, 0}}) {
    std::vector<iovec> pieces = {{nullptr, 0}};
    arena->Slice(*extents, offset, length, &pieces);
    uint64_t expected = offset;
    for (size_t i = 1; i < pieces.size(); ++i) {
      ASSERT_GT(pieces[i].iov_len, 0u);
      for (size_t j = 0; j < pieces[i].iov_len; ++j) {
        ASSERT_EQ(static_cast<uint8_t*>(pieces[i].iov_base)[j], expected++ % 251) << offset << "+" << length;
      }
    }
    EXPECT_EQ(expected, offset + length);
    EXPECT_EQ(pieces[0].iov_base, nullptr);
  }
}

TEST(ArenaTest, NeighbouringPiecesBecomeOne) {
  auto arena = MakeArena(8 * kMiB);
  auto extents = arena->Allocate(8 * kMiB);
  ASSERT_TRUE(extents.ok());
  EXPECT_EQ(extents->size(), 2u);
  std::vector<iovec> pieces;
  arena->Slice(*extents, 0, 8 * kMiB, &pieces);
  EXPECT_EQ(pieces.size(), 1u);
}

TEST(ArenaTest, ExtentsAreAlignedToTheirSize) {
  auto arena = MakeArena(64 * kMiB);
  size_t records = 0;
  for (auto extents = arena->Allocate(360001); extents.ok(); extents = arena->Allocate(360001)) {
    ++records;
    for (const Extent extent : *extents) {
      ASSERT_EQ(reinterpret_cast<uint64_t>(arena->At(extent)) % Arena::BytesOf(extent), 0u);
    }
  }
  EXPECT_EQ(records, 64 * kMiB / Arena::AllocatedBytesFor(360001));
}

TEST(ArenaTest, WasteStaysUnderAThirtySecondAtAnySize) {
  double worst = 0;
  uint64_t worst_bytes = 0;
  const auto check = [&](uint64_t bytes) {
    const uint64_t allocated = Arena::AllocatedBytesFor(bytes);
    ASSERT_GE(allocated, bytes);
    ASSERT_EQ(allocated % kArenaUnitBytes, 0u);
    const double waste = static_cast<double>(allocated - bytes) / static_cast<double>(allocated);
    if (waste > worst) {
      worst = waste;
      worst_bytes = bytes;
    }
  };
  for (uint64_t bytes = 4096; bytes <= 512 * kKiB; ++bytes) check(bytes);
  // Larger sizes: every multiple of a unit, and one byte on either side of it.
  for (uint64_t bytes = 512 * kKiB; bytes < kMaxAllocationBytes; bytes += kArenaUnitBytes) {
    check(bytes - 1);
    check(bytes);
    check(bytes + 1);
  }
  EXPECT_LT(worst, 1.0 / 32) << "at " << worst_bytes << " bytes";
  EXPECT_GT(worst, 0.031) << "the sweep missed the bad sizes";
  for (uint64_t bytes = 1; bytes < 4096; ++bytes) {
    ASSERT_LT(Arena::AllocatedBytesFor(bytes) - bytes, kArenaUnitBytes) << bytes;
  }
}

TEST(ArenaTest, FreshMemoryGivesFewExtents) {
  auto arena = MakeArena(128 * kMiB);
  for (const uint64_t bytes : {4097ull, 57001ull, 360001ull, 3100001ull, 4194303ull, 4500001ull}) {
    auto extents = arena->Allocate(bytes);
    ASSERT_TRUE(extents.ok());
    EXPECT_LE(extents->size(), 5u) << bytes;
  }
}

TEST(ArenaTest, ScatteredUnitsStillServeALargeRecord) {
  auto arena = MakeArena(8 * kMiB);
  std::vector<ExtentList> units;
  while (arena->FreeBytes() > 0) units.push_back(*arena->Allocate(1));
  ASSERT_EQ(units.size(), 8 * kMiB / kArenaUnitBytes);
  for (size_t i = 0; i < units.size(); i += 2) arena->Free(units[i], 1);
  const uint64_t free_bytes = arena->FreeBytes();
  ASSERT_EQ(free_bytes, 4 * kMiB);
  EXPECT_FALSE(arena->Allocate(free_bytes + 1).ok());
  auto scattered = arena->Allocate(free_bytes);
  ASSERT_TRUE(scattered.ok()) << scattered.status();
  EXPECT_EQ(scattered->size(), units.size() / 2);
  EXPECT_EQ(arena->FreeBytes(), 0u);
  arena->Free(*scattered, free_bytes);
  for (size_t i = 1; i < units.size(); i += 2) arena->Free(units[i], 1);
  EXPECT_EQ(arena->Allocate(8 * kMiB)->size(), 2u);
}

TEST(ArenaDeathTest, DoubleFreeEndsTheProcess) {
  auto arena = MakeArena(8 * kMiB);
  const ExtentList extents = *arena->Allocate(5000);
  arena->Free(extents, 5000);
  EXPECT_DEATH(arena->Free(extents, 5000), "already free");
}

TEST(ArenaDeathTest, FreeWithAnotherSizeEndsTheProcess) {
  auto arena = MakeArena(8 * kMiB);
  const ExtentList extents = *arena->Allocate(5000);
  EXPECT_DEATH(arena->Free(extents, 9000), "free of 9000 bytes gave back 5120");
}

TEST(ArenaDeathTest, SliceBehindTheRecordEndsTheProcess) {
  auto arena = MakeArena(8 * kMiB);
  const ExtentList extents = *arena->Allocate(4096);
  std::vector<iovec> pieces;
  EXPECT_DEATH(arena->Slice(extents, 4000, 97, &pieces), "slice ends 1 bytes behind");
  EXPECT_DEATH(arena->Slice(extents, UINT64_MAX, 2, &pieces), "slice ends 2 bytes behind");
}

// Sizes of real blocks beside random ones of every magnitude.
uint64_t RandomBytes(std::mt19937_64& random) {
  constexpr uint64_t kReal[] = {57'000, 360'000, 3'100'000, 4'500'000, 4'097};
  if (random() % 2 == 0) return kReal[random() % std::size(kReal)] + random() % 64;
  return 1 + random() % (uint64_t{1} << (random() % 24));
}

// Every record is filled with words made from its number, and checked when it is freed: an overlap of two records or
// a list link written into live memory shows. Knows what should be free without asking the arena.
class Records {
 public:
  explicit Records(Arena* arena) : arena_(arena) {}

  void Add(uint64_t bytes) {
    const uint64_t need = Arena::AllocatedBytesFor(bytes);
    const bool fits = need <= arena_->stats().capacity_bytes - allocated_;
    auto extents = arena_->Allocate(bytes);
    ASSERT_EQ(extents.ok(), fits) << extents.status();
    if (!fits) return;
    requested_ += bytes;
    allocated_ += need;
    live_.push_back({*std::move(extents), bytes, next_number_++});
    ForEachWord(live_.back(), [](uint64_t& word, uint64_t expected) { word = expected; });
    CheckSums();
  }

  void Drop(size_t index) {
    std::swap(live_[index], live_.back());
    uint64_t wrong = 0;
    ForEachWord(live_.back(), [&](uint64_t& word, uint64_t expected) { wrong += word != expected; });
    ASSERT_EQ(wrong, 0u) << "record of " << live_.back().bytes << " bytes was overwritten";
    arena_->Free(live_.back().extents, live_.back().bytes);
    requested_ -= live_.back().bytes;
    allocated_ -= Arena::AllocatedBytesFor(live_.back().bytes);
    live_.pop_back();
    CheckSums();
  }

  size_t size() const { return live_.size(); }

 private:
  struct Record {
    ExtentList extents;
    uint64_t bytes;
    uint64_t number;
  };

  void CheckSums() {
    const ArenaStats stats = arena_->stats();
    ASSERT_EQ(stats.requested_bytes, requested_);
    ASSERT_EQ(stats.allocated_bytes, allocated_);
    ASSERT_EQ(stats.allocations, live_.size());
    ASSERT_EQ(arena_->FreeBytes(), stats.capacity_bytes - allocated_);
  }

  // All words of the extents, waste included: it belongs to the record as well.
  template <typename Visit>
  void ForEachWord(const Record& record, Visit visit) {
    uint64_t expected = record.number * 0x9e3779b97f4a7c15;
    for (const Extent extent : record.extents) {
      auto* words = reinterpret_cast<uint64_t*>(arena_->At(extent));
      for (uint64_t i = 0; i < Arena::BytesOf(extent) / sizeof(uint64_t); ++i) visit(words[i], ++expected);
    }
  }

  Arena* arena_;
  std::vector<Record> live_;
  uint64_t next_number_ = 1;
  uint64_t requested_ = 0;
  uint64_t allocated_ = 0;
};

class ArenaRandomTest : public testing::TestWithParam<uint64_t> {};

TEST_P(ArenaRandomTest, RecordsNeverOverlapAndTheSumsAgree) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  std::mt19937_64 random(GetParam());
  auto arena = MakeArena(32 * kMiB);
  Records records(arena.get());
  for (int step = 0; step < 1500; ++step) {
    // Phases of growth and of shrinking.
    const bool grow = random() % 8 < (step / 250 % 2 == 0 ? 6u : 3u);
    if (grow || records.size() == 0) {
      records.Add(RandomBytes(random));
    } else {
      records.Drop(random() % records.size());
    }
    if (HasFatalFailure()) return;
  }
  while (records.size() > 0 && !HasFatalFailure()) records.Drop(random() % records.size());
  // Everything merged back: the whole arena as largest extents.
  EXPECT_EQ(arena->Allocate(32 * kMiB)->size(), 8u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ArenaRandomTest, testing::Range<uint64_t>(1, 6));

}  // namespace
}  // namespace incipit
