#include "transport/wire/meta_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace incipit::wire {
namespace {

enum class Colour : uint8_t { kRed = 0, kBlue = 1 };

TEST(MetaReaderTest, FirstErrorIsTheOneReported) {
  const std::vector<uint8_t> bytes = {9};
  MetaReader reader("M", bytes);
  EXPECT_EQ(reader.ReadIn<uint8_t>("first", 0, 3), 0);
  EXPECT_EQ(reader.Read<uint64_t>("second"), 0u);
  reader.Fail("third", "also wrong");
  EXPECT_EQ(reader.Finish().message(), "M.first: is 9, allowed are 0 to 3");
}

TEST(MetaReaderTest, ReadsAfterAnErrorGiveNothing) {
  const std::vector<uint8_t> bytes = {1, 2, 3, 4};
  MetaReader reader("M", bytes);
  reader.Fail("field", "wrong");
  EXPECT_EQ(reader.Read<uint8_t>("a"), 0);
  EXPECT_TRUE(reader.ReadBytes("b", 2).empty());
  EXPECT_EQ(reader.ReadCount<uint8_t>("c", {.max = 9, .what = "things"}), 0);
}

TEST(MetaReaderTest, TruncationNamesOffsetAndNeed) {
  const std::vector<uint8_t> bytes = {1, 2, 3};
  MetaReader reader("M", bytes);
  EXPECT_EQ(reader.Read<uint16_t>("a"), 0x0201);
  reader.Read<uint32_t>("b");
  EXPECT_EQ(reader.Finish().message(), "M.b: truncated at offset 2: needs 4 bytes, 1 are left");
}

TEST(MetaReaderTest, HugeByteCountDoesNotOverflow) {
  const std::vector<uint8_t> bytes = {1, 2, 3};
  MetaReader reader("M", bytes);
  reader.Read<uint8_t>("a");
  EXPECT_TRUE(reader.ReadBytes("b", SIZE_MAX).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(MetaReaderTest, CountIsCheckedAgainstTheBytesThatItsEntriesNeed) {
  const std::vector<uint8_t> bytes = {3, 0, 0, 0, 0, 0, 0, 0, 0};
  MetaReader enough("M", bytes);
  EXPECT_EQ(enough.ReadCount<uint8_t>("n", {.max = 9, .entry_bytes = 2, .what = "pairs"}), 3);
  MetaReader lacking("M", bytes);
  EXPECT_EQ(lacking.ReadCount<uint8_t>("n", {.max = 9, .entry_bytes = 3, .what = "triples"}), 0);
  EXPECT_EQ(lacking.Finish().message(), "M.n: truncated: 3 triples need at least 3 bytes each, 8 bytes are left");
}

TEST(MetaReaderTest, CountBelowItsMinimumIsRefused) {
  const std::vector<uint8_t> bytes = {1, 0};
  MetaReader reader("M", bytes);
  reader.ReadCount<uint8_t>("n", {.min = 2, .max = 9, .what = "things"});
  EXPECT_EQ(reader.Finish().message(), "M.n: 1 things, at least 2");
}

TEST(MetaReaderTest, EnumOutsideItsValuesIsRefused) {
  const std::vector<uint8_t> bytes = {1, 2};
  MetaReader reader("M", bytes);
  EXPECT_EQ(reader.ReadEnum("colour", Colour::kBlue), Colour::kBlue);
  EXPECT_EQ(reader.ReadEnum("colour", Colour::kBlue), Colour::kRed);
  EXPECT_EQ(reader.Finish().message(), "M.colour: is 2, allowed are 0 to 1");
}

TEST(MetaReaderTest, BytesLeftOverAreAnError) {
  const std::vector<uint8_t> bytes = {1, 2, 3};
  MetaReader reader("M", bytes);
  reader.Read<uint8_t>("a");
  EXPECT_EQ(reader.Finish().message(), "M: 2 bytes left over after the 1 expected");
}

}  // namespace
}  // namespace incipit::wire
