#include "transport/ucx/ucx_placement.h"

#include <gtest/gtest.h>

#include <numeric>

#include "cache/base/xxh3.h"
#include "transport/landed_digests.h"

namespace incipit {
namespace {

// A message of 300 bytes for three pieces of memory, with a part of 200 bytes and one of 100.
class UcxPlacementTest : public testing::Test {
 protected:
  UcxPlacementTest() { std::iota(sent_.begin(), sent_.end(), 1); }

  ByteView Sent(size_t offset, size_t bytes) const { return ByteView(sent_).subspan(offset, bytes); }
  std::vector<uint8_t> Landed() const { return {memory_.begin(), memory_.begin() + 300}; }

  std::vector<uint8_t> sent_ = std::vector<uint8_t>(400);
  std::vector<uint8_t> memory_ = std::vector<uint8_t>(400);
  LandedDigests digests_{{200, 100}};
  UcxPlacement placement_{
      &digests_, 0, {{memory_.data(), 120}, {memory_.data() + 120, 80}, {memory_.data() + 200, 100}}};
};

TEST_F(UcxPlacementTest, BytesInOrderLandAndAreChecksummed) {
  EXPECT_TRUE(placement_.Place(0, Sent(0, 200)));
  EXPECT_TRUE(placement_.Place(200, Sent(200, 100)));
  EXPECT_EQ(placement_.placed(), 300u);
  EXPECT_EQ(Landed(), std::vector<uint8_t>(sent_.begin(), sent_.begin() + 300));
  EXPECT_EQ(digests_.Of(0), Xxh3Of(Sent(0, 200)));
  EXPECT_EQ(digests_.Of(1), Xxh3Of(Sent(200, 100)));
}

TEST_F(UcxPlacementTest, BytesThatHaveAChecksumAreNotWrittenAgain) {
  ASSERT_TRUE(placement_.Place(0, Sent(0, 200)));
  const std::vector<uint8_t> before = memory_;
  EXPECT_FALSE(placement_.Place(0, Sent(100, 200)));
  EXPECT_FALSE(placement_.Place(199, Sent(0, 1)));
  EXPECT_EQ(memory_, before);
  EXPECT_EQ(placement_.placed(), 200u);
}

TEST_F(UcxPlacementTest, BytesThatComeTooEarlyAreRefused) {
  EXPECT_FALSE(placement_.Place(1, Sent(1, 10)));
  EXPECT_FALSE(placement_.Place(200, Sent(200, 100)));
  EXPECT_FALSE(placement_.Place(UINT64_MAX, Sent(0, 1)));
  EXPECT_EQ(memory_, std::vector<uint8_t>(400));
  EXPECT_EQ(digests_.Of(1), std::nullopt);
}

TEST_F(UcxPlacementTest, NothingIsWrittenBehindTheTarget) {
  EXPECT_FALSE(placement_.Place(0, Sent(0, 301)));
  ASSERT_TRUE(placement_.Place(0, Sent(0, 299)));
  EXPECT_FALSE(placement_.Place(299, Sent(299, 2)));
  EXPECT_TRUE(placement_.Place(299, Sent(299, 1)));
  EXPECT_FALSE(placement_.Place(300, Sent(300, 1)));
  EXPECT_EQ(std::vector<uint8_t>(memory_.begin() + 300, memory_.end()), std::vector<uint8_t>(100));
}

}  // namespace
}  // namespace incipit
