#include "client/src/core/decode_job.h"

#include <gtest/gtest.h>

#include "tests/support/format_samples.h"
#include "tests/support/latents.h"

namespace incipit {
namespace {

constexpr size_t kChannels = 64, kRows = 32, kSegmentBytes = 2 * kChannels * kRows;
using Outcome = DecodeJob::Outcome;

class DecodeJobTest : public ::testing::Test {
 protected:
  // Four segments with their coded form, one behind the other.
  DecodeJobTest() {
    std::mt19937_64 random(7);
    PieceCoder coder;
    for (size_t i = 0; i < 4; ++i) {
      raw_.push_back(testing::Bf16Rows(kRows, kChannels, 0.5, random));
      loaded_.emplace_back(kSegmentBytes, uint8_t{0xee});
      std::vector<uint8_t> stored(MaxCodedBytes(kSegmentBytes));
      const iovec whole{raw_[i].data(), raw_[i].size()};
      stored.resize(
          coder.Encode({.coding = SegmentCoding::kBf16Lossless, .row_values = kChannels}, {&whole, 1}, stored));
      segments_.push_back({static_cast<uint32_t>(stored.size()), kSegmentBytes, Xxh3Of(stored)});
      stored_.insert(stored_.end(), stored.begin(), stored.end());
    }
  }
  void Run() {
    BufferPool::Buffer buffer = pool_.Take(stored_.size());
    std::copy(stored_.begin(), stored_.end(), buffer.bytes().begin());
    const ByteView landed = buffer.bytes();
    for (uint32_t i = 0; i < segments_.size(); ++i) {
      const iovec pieces[] = {{loaded_[i].data(), 1000}, {loaded_[i].data() + 1000, kSegmentBytes - 1000}};
      job_.Add(i / 2, Codec::kBf16Lossless, segments_[i], pieces);
    }
    job_.SetLanded(std::move(buffer), landed);
    PieceCoder coder;
    job_.Run(&coder);
  }

  BufferPool pool_;
  DecodeJob job_;
  std::vector<std::vector<uint8_t>> raw_, loaded_;
  std::vector<uint8_t> stored_;
  std::vector<Segment> segments_;
};

TEST_F(DecodeJobTest, EverySegmentGoesToItsPlace) {
  EXPECT_TRUE(job_.empty());
  Run();
  EXPECT_FALSE(job_.empty());
  EXPECT_EQ(loaded_, raw_);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(job_.items()[i].outcome, Outcome::kDecoded);
    EXPECT_EQ(job_.items()[i].block, i / 2);
  }
}

TEST_F(DecodeJobTest, DamageStaysWithItsSegment) {
  stored_[segments_[0].stored_bytes + 100] ^= 1;
  stored_[stored_.size() - segments_[3].stored_bytes] = 0x71;  // a version that nobody knows, under a right checksum
  segments_[3].checksum = Xxh3Of(ByteView(stored_).last(segments_[3].stored_bytes));
  Run();
  EXPECT_EQ(job_.items()[0].outcome, Outcome::kDecoded);
  EXPECT_EQ(job_.items()[1].outcome, Outcome::kDamaged);
  EXPECT_EQ(job_.items()[2].outcome, Outcome::kDecoded);
  EXPECT_EQ(job_.items()[3].outcome, Outcome::kUndecodable);
  EXPECT_EQ(loaded_[0], raw_[0]);
  EXPECT_EQ(loaded_[1], std::vector<uint8_t>(kSegmentBytes, 0xee)) << "what is damaged is not even decoded";
  EXPECT_EQ(loaded_[2], raw_[2]);
}

TEST(SealedDecodeJob, SegmentsOfTwoBlocksAreOpenedAtTheirPlaces) {
  std::mt19937_64 random(7);
  SealerPool sealers(*SealingKey::FromBytes(samples::CountingBytes(32, 1)), FrameNamespace(samples::SampleNamespace()));
  const std::vector<uint8_t> identities[] = {samples::SampleIdentity(), samples::CountingBytes(90, 3)};
  const CodecOptions options{.coding = SegmentCoding::kBf16Lossless, .row_values = kChannels};
  PieceCoder coder;
  BufferPool pool;
  std::vector<std::vector<uint8_t>> raw, loaded(4, std::vector<uint8_t>(kSegmentBytes, 0xee));
  std::vector<uint8_t> stored;
  DecodeJob job;
  for (uint16_t i = 0; i < 4; ++i) {
    raw.push_back(testing::Bf16Rows(kRows, kChannels, 0.5, random));
    const iovec whole{raw[i].data(), raw[i].size()}, into{loaded[i].data(), kSegmentBytes};
    std::vector<uint8_t> sealed(MaxCodedBytes(kSegmentBytes) + kSealedOverheadBytes);
    const uint16_t index = i == 3 ? 9 : i;  // the last one was sealed for another place
    sealed.resize(coder.EncodeSealed(options, sealers.Take().get(), {identities[i / 2], index}, {&whole, 1}, sealed));
    const Segment segment{static_cast<uint32_t>(sealed.size()), kSegmentBytes, Xxh3Of(sealed)};
    job.Add(i / 2, Codec::kSealedBf16Lossless, segment, {&into, 1}, {identities[i / 2], i});
    stored.insert(stored.end(), sealed.begin(), sealed.end());
  }
  BufferPool::Buffer buffer = pool.Take(stored.size());
  std::copy(stored.begin(), stored.end(), buffer.bytes().begin());
  const ByteView landed = buffer.bytes();
  job.SetLanded(std::move(buffer), landed);
  job.Run(&coder, &sealers);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(job.items()[i].outcome, i == 3 ? Outcome::kUndecodable : Outcome::kDecoded);
    EXPECT_EQ(loaded[i], i == 3 ? std::vector<uint8_t>(kSegmentBytes, 0xee) : raw[i]);
  }
}

}  // namespace
}  // namespace incipit
