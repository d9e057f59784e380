// Limits of Store. What holds for every message: messages_test.cc.
#include <gtest/gtest.h>

#include <string>

#include "cache/base/byte_writer.h"
#include "tests/transport/wire/message_fields.h"
#include "transport/wire/messages.h"

namespace incipit::wire {
namespace {

const std::string kKey = "0123456789abcdef";

StoredBlock Block(std::vector<Segment> segments) {
  return {{0, 0, 0, AsBytes(kKey)}, Codec::kRaw, std::move(segments)};
}
Segment Sized(uint64_t bytes) { return {static_cast<uint32_t>(bytes), static_cast<uint32_t>(bytes), 1}; }

void ExpectRefused(std::vector<StoredBlock> blocks, const std::string& words) {
  const absl::Status status = Store::Decode(Encoded(Store{1, 2, std::move(blocks)})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

TEST(StoreTest, EmptyBatchIsRefused) { ExpectRefused({}, "Store.blocks: empty batch"); }

TEST(StoreTest, AMillionBlocksAreToldToSplit) {
  ExpectRefused(std::vector<StoredBlock>(1'000'000, Block({})),
                "Store.blocks: 1000000 blocks, over the limit of 65536: split the batch");
}

TEST(StoreTest, NegativeBlockCountIsOverTheLimit) {
  std::vector<uint8_t> bytes(12);
  ByteWriter(&bytes).Write(uint32_t{0xffffffff});
  const absl::Status status = Store::Decode(bytes).status();
  EXPECT_NE(status.message().find("4294967295 blocks, over the limit"), std::string::npos) << status;
}

TEST(StoreTest, BlockCountBeyondTheBytesLeftIsRefusedBeforeMemoryIsReserved) {
  std::vector<uint8_t> bytes(12);
  ByteWriter(&bytes).Write(uint32_t{65536});
  bytes.resize(1000);
  const absl::Status status = Store::Decode(bytes).status();
  EXPECT_NE(status.message().find("Store.blocks: truncated"), std::string::npos) << status;
}

TEST(StoreTest, KeyLengthIsChecked) {
  const std::string long_key(65536 + 8, 'k');
  StoredBlock block = Block({Sized(1)});
  block.key.key = {};
  ExpectRefused({block}, "Store.blocks.key_bytes: empty");
  block.key.key = AsBytes(long_key).first(65);
  ExpectRefused({block}, "Store.blocks.key_bytes: 65 bytes, over the limit of 64");
  block.key.key = AsBytes(long_key);
  ExpectRefused({block}, "Store.blocks.key_bytes: 65535 bytes, over the limit of 64");
}

TEST(StoreTest, SegmentCountIsChecked) {
  ExpectRefused({Block({})}, "Store.blocks.segment_count: empty");
  ExpectRefused({Block(std::vector<Segment>(kMaxSegments + 1))}, "1025 segments, over the limit of 1024");
  ExpectRefused({Block(std::vector<Segment>(65536 + 1))}, "65535 segments, over the limit of 1024");
}

TEST(StoreTest, UnknownCodecIsRefused) {
  StoredBlock block = Block({Sized(1)});
  block.codec = static_cast<Codec>(8);
  ExpectRefused({block}, "Store.blocks.codec: is 8");
}

TEST(StoreTest, StoredAndRawBytesOfABlockAreLimited) {
  const auto raw_over = static_cast<uint32_t>(kMaxPayloadBytes) + 1;
  const auto stored_over = static_cast<uint32_t>(kMaxStoredBytes) + 1;
  ExpectRefused({Block({{stored_over, 1, 0}})},
                "a block of 67174401 stored and 1 raw bytes, over the limit of 67174400 or 67108864");
  ExpectRefused({Block({{1, raw_over, 0}})},
                "a block of 1 stored and 67108865 raw bytes, over the limit of 67174400 or 67108864");
  StoredBlock sealed = Block({{stored_over - 1, raw_over - 1, 0}});
  sealed.codec = Codec::kSealed;
  EXPECT_TRUE(Store::Decode(Encoded(Store{1, 2, {sealed}})).ok());
}

TEST(StoreTest, SumsOfHugeSegmentsDoNotOverflow) {
  ExpectRefused({Block(std::vector<Segment>(kMaxSegments, Segment{UINT32_MAX, UINT32_MAX, 0}))},
                "a block of 4398046510080 stored and 4398046510080 raw bytes");
}

TEST(StoreTest, PayloadOfTheMessageIsLimited) {
  const StoredBlock largest = Block({Sized(kMaxPayloadBytes)});
  const StoredBlock rest = Block({Sized(kMaxPayloadBytes - 2 * kSegmentChecksumBytes)});
  const Store full{1, 2, {largest, rest}};
  EXPECT_EQ(full.PayloadBytes(), kMaxFramePayloadBytes);
  EXPECT_TRUE(Store::Decode(Encoded(full)).ok());
  ExpectRefused({largest, rest, Block({Sized(1)})}, "payload of 134217737 bytes or more, over the limit of 134217728");
}

TEST(StoreTest, PayloadBytesAddsUpAllSegmentsAndTheirChecksums) {
  EXPECT_EQ((Store{1, 2, {Block({Sized(1), Sized(20)}), Block({Sized(300)})}}).PayloadBytes(), 345u);
}

}  // namespace
}  // namespace incipit::wire
