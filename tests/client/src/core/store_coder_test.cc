#include "client/src/core/store_coder.h"

#include <gtest/gtest.h>

#include "cache/runtime/sim_loop.h"
#include "client/src/codec/coding_threads.h"
#include "tests/support/format_samples.h"
#include "tests/support/latents.h"

namespace incipit {
namespace {

constexpr size_t kChannels = 64;
constexpr uint64_t kSegmentBytes = 300 * 1024;  // three to a job
constexpr uint32_t kSegments = 7;
constexpr CodecOptions kOptions{.coding = SegmentCoding::kBf16Lossless, .row_values = kChannels};

std::vector<uint8_t> Block(uint64_t seed) {
  std::mt19937_64 random(seed);
  return testing::Bf16Rows(kSegments * kSegmentBytes / (2 * kChannels), kChannels, 0.5, random);
}

void ExpectCodedFormOf(const StoreCoder::Part& part, ByteView raw) {
  std::vector<uint8_t> stored;
  for (const iovec& piece : part.pieces) {
    const auto* data = static_cast<const uint8_t*>(piece.iov_base);
    stored.insert(stored.end(), data, data + piece.iov_len);
  }
  ASSERT_EQ(part.segments.size(), kSegments);
  ByteView left = stored;
  CodecScratch scratch;
  std::vector<uint8_t> decoded(kSegmentBytes);
  for (uint32_t i = 0; i < kSegments; ++i) {
    const Segment& segment = part.segments[i];
    EXPECT_EQ(segment.raw_bytes, kSegmentBytes);
    EXPECT_LT(segment.stored_bytes * 4, kSegmentBytes * 3);
    const ByteView bytes = left.first(segment.stored_bytes);
    left = left.subspan(bytes.size());
    EXPECT_EQ(Xxh3Of(bytes), segment.checksum);
    ASSERT_TRUE(DecodeSegment(kOptions.coding, bytes, decoded, &scratch).ok());
    EXPECT_TRUE(std::ranges::equal(decoded, raw.subspan(i * kSegmentBytes, kSegmentBytes)));
  }
  EXPECT_TRUE(left.empty());
}

void CodeTwoParts(Loop* loop, CodingWorkers* workers, const std::function<bool()>& step) {
  BufferPool pool;
  StoreCoder coder(loop, workers, pool.Take(2 * kSegments * MaxCodedBytes(kSegmentBytes)));
  std::vector<uint8_t> blocks[] = {Block(1), Block(2)};
  std::vector<iovec> pieces[2];
  for (size_t i = 0; i < 2; ++i) {
    pieces[i] = {{blocks[i].data(), 100'001}, {blocks[i].data() + 100'001, blocks[i].size() - 100'001}};
    coder.AddPart(kOptions, PieceCursor(pieces[i], 0), kSegments, kSegmentBytes);
  }
  DriveTask(loop, coder.Run(), step);
  for (size_t i = 0; i < 2; ++i) ExpectCodedFormOf(coder.part(i), blocks[i]);
}

TEST(StoreCoder, PartsAreCodedOnTheLoopsThread) {
  SimLoop loop;
  InlineWorkers workers;
  CodeTwoParts(&loop, &workers, [&] { return loop.RunOnce(); });
}

TEST(StoreCoder, PartsAreCodedOnManyThreads) {
  UringLoopOptions options;
  options.single_thread = false;
  const std::unique_ptr<UringLoop> loop = *UringLoop::Create(options);
  for (const bool with_loop : {false, true}) {
    CodingThreads workers(loop.get(), {.threads = 3, .with_loop = with_loop});
    CodeTwoParts(loop.get(), &workers, [&] {
      loop->RunOnce();
      return true;
    });
  }
}

TEST(StoreCoder, PartsThatDoNotShrinkAreTold) {
  SimLoop loop;
  InlineWorkers workers;
  BufferPool pool;
  std::mt19937_64 random(3);
  std::vector<uint8_t> noise(kSegments * kSegmentBytes), mixed = Block(1);
  for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random());
  // One segment of seven shrinks by a third: four per cent of the whole.
  std::copy(noise.begin() + kSegmentBytes, noise.end(), mixed.begin() + kSegmentBytes);
  StoreCoder coder(&loop, &workers, pool.Take(2 * kSegments * MaxCodedBytes(kSegmentBytes)));
  const iovec whole[] = {{noise.data(), noise.size()}, {mixed.data(), mixed.size()}};
  for (const iovec& block : whole) {
    coder.AddPart(kOptions, PieceCursor({&block, 1}, 0), kSegments, kSegmentBytes);
  }
  DriveTask(&loop, coder.Run(), [&] { return loop.RunOnce(); });
  EXPECT_FALSE(coder.part(0).shrank());
  EXPECT_TRUE(coder.part(1).shrank());
  EXPECT_EQ(BytesOf(coder.part(0).pieces), kSegments * MaxCodedBytes(kSegmentBytes));
}

// Each segment for its place in the part, whichever job it is in.
TEST(StoreCoder, WithAKeyPartsAreCodedAndSealed) {
  SimLoop loop;
  InlineWorkers workers;
  BufferPool pool;
  SealerPool sealers(*SealingKey::FromBytes(samples::CountingBytes(32, 1)), FrameNamespace(samples::SampleNamespace()));
  const std::vector<uint8_t> identity = samples::SampleIdentity();
  std::vector<uint8_t> raw = Block(1), decoded(kSegmentBytes);
  StoreCoder coder(&loop, &workers, pool.Take(kSegments * StoreCoder::MaxStoredBytes(kOptions, true, kSegmentBytes)),
                   &sealers);
  const iovec whole{raw.data(), raw.size()};
  coder.AddPart(kOptions, PieceCursor({&whole, 1}, 0), kSegments, kSegmentBytes, identity);
  DriveTask(&loop, coder.Run(), [&] { return loop.RunOnce(); });
  const StoreCoder::Part& part = coder.part(0);
  EXPECT_TRUE(part.shrank());
  EXPECT_EQ(StoreCoder::StoredCodec(kOptions, true), Codec::kSealedBf16Lossless);
  std::vector<uint8_t> stored;
  for (const iovec& piece : part.pieces) {
    const auto* data = static_cast<const uint8_t*>(piece.iov_base);
    stored.insert(stored.end(), data, data + piece.iov_len);
  }
  ByteView left = stored;
  PieceCoder opener;
  for (uint16_t i = 0; i < kSegments; ++i) {
    const ByteView bytes = left.first(part.segments[i].stored_bytes);
    left = left.subspan(bytes.size());
    EXPECT_EQ(Xxh3Of(bytes), part.segments[i].checksum);
    const iovec into{decoded.data(), decoded.size()};
    ASSERT_TRUE(
        opener.DecodeSealed(Codec::kSealedBf16Lossless, sealers.Take().get(), {identity, i}, bytes, {&into, 1}));
    EXPECT_TRUE(std::ranges::equal(decoded, ByteView(raw).subspan(i * kSegmentBytes, kSegmentBytes)));
  }
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(part.room.size(), kSegments * StoreCoder::MaxStoredBytes(kOptions, true, kSegmentBytes));
}

TEST(StoreCoder, NothingToCodeEndsAtOnce) {
  SimLoop loop;
  InlineWorkers workers;
  StoreCoder coder(&loop, &workers, {});
  DriveTask(&loop, coder.Run(), [&] { return loop.RunOnce(); });
}

}  // namespace
}  // namespace incipit
