#include "transport/wire/meta_text.h"

#include <gtest/gtest.h>

namespace incipit::wire {
namespace {

TEST(CutTextTest, ShortTextIsKept) {
  EXPECT_EQ(CutText("abc", 3), "abc");
  EXPECT_EQ(CutText("", 0), "");
}

TEST(CutTextTest, CharactersAreNotSplit) {
  EXPECT_EQ(CutText("ab\xe2\x82\xac", 4), "ab");
  EXPECT_EQ(CutText("ab\xe2\x82\xac", 3), "ab");
  EXPECT_EQ(CutText("ab\xe2\x82\xac!", 5), "ab\xe2\x82\xac");
}

TEST(CutTextTest, TextThatIsNotUtf8LosesAtMostFourBytesMore) {
  const std::string text(100, '\x80');
  const size_t kept = CutText(text, 50).size();
  EXPECT_LE(kept, 50u);
  EXPECT_GE(kept, 46u);
}

TEST(WriteTextCutTest, LengthNeverWrapsAround) {
  std::vector<uint8_t> out;
  ByteWriter writer(&out);
  WriteTextCut(&writer, std::string(65536 + 5, 'x'));
  EXPECT_EQ(out.size(), 2u + 65535);
  EXPECT_EQ(out[0], 0xff);
  EXPECT_EQ(out[1], 0xff);
}

}  // namespace
}  // namespace incipit::wire
