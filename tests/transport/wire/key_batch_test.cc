#include "transport/wire/key_batch.h"

#include <gtest/gtest.h>

#include <string>

#include "cache/base/byte_writer.h"
#include "tests/transport/wire/message_fields.h"
#include "tests/transport/wire/random_messages.h"

namespace incipit::wire {
namespace {

std::vector<uint8_t> EncodedBatch(const KeyBatch& keys) {
  std::vector<uint8_t> out;
  EncodeKeyBatch(keys, &out);
  return out;
}

absl::StatusOr<KeyBatch> DecodedBatch(ByteView bytes) {
  MetaReader reader("Test", bytes);
  KeyBatch keys;
  DecodeKeyBatch(&reader, &keys);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return keys;
}

void ExpectRefused(ByteView bytes, const char* words) {
  const absl::Status status = DecodedBatch(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

// Header of a run after a key_count, then `entry_bytes` zeros.
std::vector<uint8_t> OneRun(uint32_t key_count, uint16_t key_bytes, uint32_t run_keys, size_t entry_bytes) {
  std::vector<uint8_t> out;
  ByteWriter writer(&out);
  writer.Write(key_count);
  writer.Write(uint16_t{0});
  writer.Write(uint16_t{0});
  writer.Write(key_bytes);
  writer.Write(run_keys);
  writer.WriteZeros(entry_bytes);
  return out;
}

TEST(KeyBatchTest, RandomBatchesKeepTheirOrder) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomMessages random(seed);
    const KeyBatch keys = random.Keys();
    const std::vector<uint8_t> bytes = EncodedBatch(keys);
    const auto decoded = DecodedBatch(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_TRUE(Same(*decoded, keys));
  }
}

TEST(KeyBatchTest, KeysOfOneKindShareOneRun) {
  const std::string key(32, 'k');
  const KeyBatch keys(16384, KeyRef{1, 0, 64, AsBytes(key)});
  EXPECT_EQ(EncodedBatch(keys).size(), 4 + kKeyRunHeaderBytes + 16384 * (4 + 32));
}

TEST(KeyBatchTest, ChangeOfGroupPartOrLengthStartsARun) {
  const std::string key = "abcd";
  const KeyBatch keys = {{0, 0, 0, AsBytes(key)},
                         {1, 0, 0, AsBytes(key)},
                         {1, 1, 0, AsBytes(key)},
                         {1, 1, 0, AsBytes(key).first(3)},
                         {0, 0, 0, AsBytes(key)}};
  EXPECT_EQ(EncodedBatch(keys).size(), 4 + 5 * (kKeyRunHeaderBytes + 4) + 4 * 4 + 3);
  EXPECT_TRUE(Same(*DecodedBatch(EncodedBatch(keys)), keys));
}

TEST(KeyBatchTest, DecodedKeysAreViewsIntoTheMeta) {
  const std::string key = "abcd";
  const std::vector<uint8_t> bytes = EncodedBatch({{0, 0, 0, AsBytes(key)}});
  const auto decoded = DecodedBatch(bytes);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->front().key.data(), bytes.data() + 4 + kKeyRunHeaderBytes + 4);
}

TEST(KeyBatchTest, EmptyBatchIsRefused) { ExpectRefused(EncodedBatch({}), "Test.keys: empty batch"); }

TEST(KeyBatchTest, LargestBatchIsAccepted) {
  const std::string key(kMaxKeyBytes, 'k');
  const std::vector<uint8_t> bytes = EncodedBatch(KeyBatch(kMaxBatchKeys, KeyRef{0, 0, 0, AsBytes(key)}));
  EXPECT_LE(bytes.size(), kMaxMetaBytes);
  const auto decoded = DecodedBatch(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->size(), kMaxBatchKeys);
}

TEST(KeyBatchTest, OneKeyTooManyIsToldToSplit) {
  const std::string key = "k";
  ExpectRefused(EncodedBatch(KeyBatch(kMaxBatchKeys + 1, KeyRef{0, 0, 0, AsBytes(key)})),
                "65537 keys, over the limit of 65536 in one message: split the batch");
}

TEST(KeyBatchTest, AMillionKeysAreToldToSplit) {
  const std::string key = "k";
  ExpectRefused(EncodedBatch(KeyBatch(1'000'000, KeyRef{0, 0, 0, AsBytes(key)})),
                "1000000 keys, over the limit of 65536 in one message: split the batch");
}

TEST(KeyBatchTest, NegativeCountIsOverTheLimit) {
  ExpectRefused(OneRun(0x80000001, 1, 1, 5), "2147483649 keys, over the limit of 65536");
  ExpectRefused(OneRun(0xffffffff, 1, 1, 5), "4294967295 keys, over the limit of 65536");
}

TEST(KeyBatchTest, CountBeyondTheBytesLeftIsRefusedBeforeMemoryIsReserved) {
  ExpectRefused(OneRun(65536, 1, 65536, 100), "truncated: 65536 keys announced, 110 bytes are left");
}

TEST(KeyBatchTest, KeyLengthsFromOneToTheLimitAreAccepted) {
  for (uint16_t key_bytes = 1; key_bytes <= kMaxKeyBytes; ++key_bytes) {
    EXPECT_TRUE(DecodedBatch(OneRun(1, key_bytes, 1, 4u + key_bytes)).ok()) << key_bytes;
  }
}

TEST(KeyBatchTest, EmptyKeyIsRefused) { ExpectRefused(OneRun(1, 0, 1, 4), "key_bytes: is 0, allowed are 1 to 64"); }

TEST(KeyBatchTest, OverlongKeyIsRefused) {
  ExpectRefused(OneRun(1, 65, 1, 69), "key_bytes: is 65, allowed are 1 to 64");
  ExpectRefused(OneRun(1, 0xffff, 1, 4 + 0xffff), "key_bytes: is 65535, allowed are 1 to 64");
}

TEST(KeyBatchTest, LengthOfAHugeKeyDoesNotWrapAround) {
  const std::string key(65536 + 8, 'k');
  ExpectRefused(EncodedBatch({{0, 0, 0, AsBytes(key)}}), "key_bytes: is 65535, allowed are 1 to 64");
}

TEST(KeyBatchTest, RunLongerThanTheBatchIsRefused) {
  ExpectRefused(OneRun(1, 1, 2, 10), "keys.run_keys: 2 keys, over the limit of 1");
  ExpectRefused(OneRun(1, 1, 0xffffffff, 10), "keys.run_keys: 4294967295 keys, over the limit of 1");
}

TEST(KeyBatchTest, RunShorterThanTheBatchIsTruncated) { ExpectRefused(OneRun(2, 1, 1, 5), "truncated at offset"); }

TEST(KeyBatchTest, EmptyRunIsRefused) { ExpectRefused(OneRun(1, 1, 0, 5), "keys.run_keys: empty"); }

TEST(KeyBatchTest, RunWithoutItsEntriesIsTruncated) {
  ExpectRefused(OneRun(2, 64, 2, 100), "keys.run_keys: truncated");
}

TEST(KeyBatchTest, NeighbouringRunsOfOneKindAreRefused) {
  std::vector<uint8_t> bytes = OneRun(2, 1, 1, 5);
  const std::vector<uint8_t> run(bytes.begin() + 4, bytes.end());
  bytes.insert(bytes.end(), run.begin(), run.end());
  ExpectRefused(bytes, "join them");
}

}  // namespace
}  // namespace incipit::wire
