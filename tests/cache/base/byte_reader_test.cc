#include "cache/base/byte_reader.h"

#include <vector>

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(ByteReader, ReadsLittleEndianFieldsInOrder) {
  const std::vector<uint8_t> bytes = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0xff};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Read<uint8_t>(), 0x01);
  EXPECT_EQ(reader.Read<uint16_t>(), 0x0302);
  EXPECT_EQ(reader.Read<uint32_t>(), 0x07060504u);
  EXPECT_EQ(reader.remaining(), 1u);
  EXPECT_FALSE(reader.AtEnd());
  EXPECT_EQ(reader.Read<uint8_t>(), 0xff);
  EXPECT_TRUE(reader.AtEnd());
  EXPECT_TRUE(reader.ok());
}

TEST(ByteReader, FieldCutShortGivesZeroAndFails) {
  const std::vector<uint8_t> bytes = {0xff, 0xff, 0xff};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Read<uint32_t>(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, NothingSucceedsAfterAFailure) {
  const std::vector<uint8_t> bytes = {1, 2, 3};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Read<uint64_t>(), 0u);
  EXPECT_EQ(reader.Read<uint8_t>(), 0);
  EXPECT_TRUE(reader.ReadBytes(1).empty());
  EXPECT_EQ(reader.ReadText(10), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.offset(), 0u);
}

TEST(ByteReader, CountNearTheTopOfTheRangeFailsRatherThanWraps) {
  const std::vector<uint8_t> bytes = {1, 2, 3, 4};
  ByteReader reader(bytes);
  reader.Read<uint16_t>();
  EXPECT_TRUE(reader.ReadBytes(SIZE_MAX).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, AllRemainingBytesCanBeTakenAndNotOneMore) {
  const std::vector<uint8_t> bytes = {1, 2, 3, 4};
  ByteReader exact(bytes);
  EXPECT_EQ(exact.ReadBytes(4).size(), 4u);
  EXPECT_TRUE(exact.ok());
  ByteReader over(bytes);
  EXPECT_TRUE(over.ReadBytes(5).empty());
  EXPECT_FALSE(over.ok());
}

TEST(ByteReader, TextOverItsLimitFailsEvenIfTheBytesAreThere) {
  const std::vector<uint8_t> bytes = {3, 0, 'a', 'b', 'c'};
  EXPECT_EQ(ByteReader(bytes).ReadText(3), "abc");
  ByteReader limited(bytes);
  EXPECT_EQ(limited.ReadText(2), "");
  EXPECT_FALSE(limited.ok());
}

TEST(ByteReader, TextLongerThanTheBytesFails) {
  const std::vector<uint8_t> bytes = {4, 0, 'a', 'b', 'c'};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.ReadText(100), "");
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, EmptyInputIsAtItsEndAndReadsNothing) {
  ByteReader reader(ByteView{});
  EXPECT_TRUE(reader.AtEnd());
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.Read<uint8_t>(), 0);
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace incipit
