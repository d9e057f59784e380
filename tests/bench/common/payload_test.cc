#include "bench/common/payload.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

namespace incipit::bench {
namespace {

constexpr LayoutFingerprint kLayout = {1, 2, 3};

TEST(PayloadTest, VerifiesWhatItWroteAtAnyOffsetAndLength) {
  for (const uint64_t offset : {uint64_t{0}, uint64_t{8}, uint64_t{4096}}) {
    for (const size_t bytes : {1, 7, 8, 511, 512, 513, 5000}) {
      std::vector<uint8_t> payload(bytes);
      FillPayload(7, offset, payload);
      EXPECT_EQ(CountWrongBytes(7, offset, payload), 0u) << offset << " " << bytes;
    }
  }
}

TEST(PayloadTest, PiecesEqualTheWhole) {
  std::vector<uint8_t> whole(4096), pieces(4096);
  FillPayload(9, 0, whole);
  FillPayload(9, 0, MutableBytes(pieces).first(1000));
  FillPayload(9, 1000, MutableBytes(pieces).subspan(1000));
  EXPECT_EQ(whole, pieces);
}

TEST(PayloadTest, EachFlippedBitIsOneWrongByte) {
  std::vector<uint8_t> payload(1000);
  FillPayload(3, 0, payload);
  for (size_t bit = 0; bit < payload.size() * 8; bit += 13) {
    payload[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_EQ(CountWrongBytes(3, 0, payload), 1u) << "bit " << bit;
    payload[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
}

TEST(PayloadTest, AnotherBlockOrOffsetIsNearlyAllWrong) {
  std::vector<uint8_t> payload(4096);
  FillPayload(3, 0, payload);
  EXPECT_GT(CountWrongBytes(4, 0, payload), 400u);  // neighbouring seeds differ in their low bits only
  EXPECT_GT(CountWrongBytes(3, 8, payload), 3500u);
  const uint64_t a = PayloadSeed(kLayout, 0, AsBytes("a")), b = PayloadSeed(kLayout, 0, AsBytes("b"));
  FillPayload(a, 0, payload);
  EXPECT_GT(CountWrongBytes(b, 0, payload), 3500u);
}

TEST(PayloadTest, AllWordsOfABlockDiffer) {
  std::vector<uint64_t> words(100'000);
  FillPayload(5, 0, {reinterpret_cast<uint8_t*>(words.data()), words.size() * 8});
  EXPECT_EQ(std::set<uint64_t>(words.begin(), words.end()).size(), words.size());
}

TEST(PayloadTest, SeedDependsOnLayoutGroupAndKey) {
  const LayoutFingerprint other = {1, 2, 4};
  const std::set<uint64_t> seeds = {PayloadSeed(kLayout, 0, AsBytes("k")), PayloadSeed(other, 0, AsBytes("k")),
                                    PayloadSeed(kLayout, 1, AsBytes("k")), PayloadSeed(kLayout, 0, AsBytes("K"))};
  EXPECT_EQ(seeds.size(), 4u);
}

}  // namespace
}  // namespace incipit::bench
