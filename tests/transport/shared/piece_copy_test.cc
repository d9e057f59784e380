#include "transport/shared/piece_copy.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace incipit {
namespace {

// The bytes of `memory` in pieces of the given sizes, which repeat.
std::vector<iovec> Cut(std::vector<uint8_t>* memory, std::vector<size_t> sizes) {
  std::vector<iovec> pieces;
  size_t at = 0;
  for (size_t i = 0; at < memory->size(); ++i) {
    const size_t take = std::min(sizes[i % sizes.size()], memory->size() - at);
    pieces.push_back({memory->data() + at, take});
    at += take;
  }
  return pieces;
}

class PieceCopyTest : public testing::TestWithParam<PieceCopy::Stores> {
 protected:
  PieceCopyTest() { std::iota(source_.begin(), source_.end(), uint8_t{1}); }
  std::vector<uint8_t> source_ = std::vector<uint8_t>(50'000);
  std::vector<uint8_t> target_ = std::vector<uint8_t>(50'000);
};
INSTANTIATE_TEST_SUITE_P(Stores, PieceCopyTest,
                         testing::Values(PieceCopy::Stores::kStreaming, PieceCopy::Stores::kCached));

TEST_P(PieceCopyTest, SlicesOfAnySizeCopyEverythingOnce) {
  for (const uint64_t slice : {1'000u, 4'096u, 7'777u, 50'000u, 90'000u}) {
    std::fill(target_.begin(), target_.end(), uint8_t{0});
    const std::vector<iovec> from = Cut(&source_, {1, 0, 5'000, 64, 0}), to = Cut(&target_, {9'000, 3, 0, 700});
    PieceCopy copy(from, to, GetParam());
    uint64_t slices = 1;
    while (copy.Copy(slice)) ++slices;
    EXPECT_EQ(slices, (50'000 + slice - 1) / slice);
    EXPECT_EQ(target_, source_);
  }
}

TEST_P(PieceCopyTest, GoesOnInOtherPiecesAndSkipsWhatNobodyWants) {
  const std::vector<iovec> from = Cut(&source_, {333});
  PieceCopy copy(from, {}, GetParam());
  EXPECT_FALSE(copy.Copy(1'000));
  const std::vector<iovec> first = {{target_.data(), 10'000}}, second = {{target_.data() + 10'000, 20'000}};
  copy.To(first);
  EXPECT_FALSE(copy.Copy(UINT64_MAX));
  copy.SkipFrom(20'000);
  copy.To(second);
  EXPECT_FALSE(copy.Copy(UINT64_MAX));
  EXPECT_TRUE(std::equal(source_.begin(), source_.begin() + 10'000, target_.begin()));
  EXPECT_TRUE(std::equal(source_.begin() + 30'000, source_.end(), target_.begin() + 10'000));
}

}  // namespace
}  // namespace incipit
