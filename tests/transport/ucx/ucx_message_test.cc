#include "transport/ucx/ucx_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "cache/base/xxh3.h"

namespace incipit {
namespace {

using Header = std::array<uint8_t, UcxMessage::kHeaderBytes>;

UcxMessage Sample() {
  UcxMessage message{.sequence = 7, .taken = 3};
  for (size_t i = 0; i < message.token.size(); ++i) message.token[i] = static_cast<uint8_t>(i);
  return message;
}

// With the checksum made right again.
Header With(size_t offset, std::vector<uint8_t> bytes) {
  Header header = Sample().Encode();
  std::memcpy(header.data() + offset, bytes.data(), bytes.size());
  const uint64_t checksum = Xxh3Of({header.data(), 40});
  std::memcpy(header.data() + 40, &checksum, sizeof(checksum));
  return header;
}

TEST(UcxMessage, EveryKindSurvivesTheWire) {
  for (const UcxMessageKind kind :
       {UcxMessageKind::kOpen, UcxMessageKind::kBytes, UcxMessageKind::kAck, UcxMessageKind::kEnd}) {
    UcxMessage message = Sample();
    message.kind = kind;
    if (kind == UcxMessageKind::kOpen || kind == UcxMessageKind::kAck) message.sequence = 0;
    const auto decoded = UcxMessage::Decode(message.Encode());
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, message);
  }
}

TEST(UcxMessage, BytesAreAsTheFormatSays) {
  const Header header = Sample().Encode();
  EXPECT_EQ(std::string(header.begin(), header.begin() + 4), "INCU");
  EXPECT_EQ(header[4], 1);
  EXPECT_EQ(header[5], 2);
  EXPECT_EQ(header[8 + 15], 15);
  EXPECT_EQ(header[24], 7);
  EXPECT_EQ(header[32], 3);
}

TEST(UcxMessage, WrongLengthIsRefused) {
  const Header header = Sample().Encode();
  for (size_t bytes = 0; bytes < header.size(); ++bytes) {
    EXPECT_FALSE(UcxMessage::Decode({header.data(), bytes}).ok()) << bytes;
  }
  std::vector<uint8_t> longer(header.begin(), header.end());
  longer.push_back(0);
  EXPECT_FALSE(UcxMessage::Decode(longer).ok());
}

TEST(UcxMessage, EveryFlippedBitIsFound) {
  for (size_t bit = 0; bit < UcxMessage::kHeaderBytes * 8; ++bit) {
    Header header = Sample().Encode();
    header[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(UcxMessage::Decode(header).ok()) << bit;
  }
}

TEST(UcxMessage, ValuesThatAreNotAllowedAreRefusedByName) {
  EXPECT_THAT(UcxMessage::Decode(With(0, {0})).status().message(), ::testing::HasSubstr("magic"));
  EXPECT_THAT(UcxMessage::Decode(With(4, {2})).status().message(), ::testing::HasSubstr("version"));
  EXPECT_THAT(UcxMessage::Decode(With(5, {0})).status().message(), ::testing::HasSubstr("kind"));
  EXPECT_THAT(UcxMessage::Decode(With(5, {5})).status().message(), ::testing::HasSubstr("kind"));
  EXPECT_THAT(UcxMessage::Decode(With(6, {1})).status().message(), ::testing::HasSubstr("reserved"));
  EXPECT_THAT(UcxMessage::Decode(With(5, {1})).status().message(), ::testing::HasSubstr("sequence"));
}

}  // namespace
}  // namespace incipit
