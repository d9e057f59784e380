#include "cache/base/byte_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/base/byte_reader.h"

namespace incipit {
namespace {

using testing::ElementsAre;

TEST(ByteWriter, WritesLittleEndianAndAppends) {
  std::vector<uint8_t> out = {0xaa};
  ByteWriter writer(&out);
  writer.Write<uint16_t>(0x0201);
  writer.Write<uint8_t>(3);
  EXPECT_THAT(out, ElementsAre(0xaa, 0x01, 0x02, 0x03));
  EXPECT_EQ(writer.size(), 4u);
}

TEST(ByteWriter, TextHasItsLengthInFront) {
  std::vector<uint8_t> out;
  ByteWriter(&out).WriteText("ab");
  EXPECT_THAT(out, ElementsAre(2, 0, 'a', 'b'));
}

TEST(ByteWriter, PatchChangesOnlyTheField) {
  std::vector<uint8_t> out;
  ByteWriter writer(&out);
  writer.WriteZeros(2);
  writer.Write<uint16_t>(0xffff);
  writer.Write<uint8_t>(7);
  writer.Patch<uint16_t>(2, 0x0102);
  EXPECT_THAT(out, ElementsAre(0, 0, 2, 1, 7));
}

TEST(ByteWriter, ReaderGetsBackWhatWasWritten) {
  std::vector<uint8_t> out;
  ByteWriter writer(&out);
  writer.Write<uint64_t>(0x0123456789abcdefull);
  writer.WriteText("name");
  writer.Write<uint32_t>(42);
  ByteReader reader(out);
  EXPECT_EQ(reader.Read<uint64_t>(), 0x0123456789abcdefull);
  EXPECT_EQ(reader.ReadText(100), "name");
  EXPECT_EQ(reader.Read<uint32_t>(), 42u);
  EXPECT_TRUE(reader.ok() && reader.AtEnd());
}

}  // namespace
}  // namespace incipit
