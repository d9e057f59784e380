#include "transport/wire/frame.h"

#include <gtest/gtest.h>

#include <vector>

#include "cache/seams/random.h"

namespace incipit::wire {
namespace {

std::vector<uint8_t> Bytes(size_t count, uint8_t value = 7) { return std::vector<uint8_t>(count, value); }

FrameHeader LoadReplyHeader(uint32_t meta_bytes, uint64_t payload_bytes) {
  return {.type = FrameType::kLoadReply,
          .flags = kFrameFlagLast,
          .request_id = 0x1122334455667788,
          .epoch = 9,
          .meta_bytes = meta_bytes,
          .payload_bytes = payload_bytes};
}

absl::Status DecodeError(FrameHeader header) {
  const std::vector<uint8_t> meta = Bytes(std::min(header.meta_bytes, kMaxMetaBytes));
  FrameHeader sized = header;
  sized.meta_bytes = static_cast<uint32_t>(meta.size());
  auto bytes = sized.Encode(meta);
  std::memcpy(bytes.data() + 24, &header.meta_bytes, sizeof(header.meta_bytes));
  return FrameHeader::Decode(bytes).status();
}

void ExpectRefused(FrameHeader header, const char* words) {
  const absl::Status status = DecodeError(header);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

constexpr int kLastType = static_cast<int>(kLastFrameType);

TEST(FrameTest, RandomHeadersSurviveARoundTrip) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const auto random = MakeSeededRandom(seed);
    std::vector<uint8_t> meta(random->Below(600));
    random->Fill(meta);
    FrameHeader header = LoadReplyHeader(static_cast<uint32_t>(meta.size()), random->Below(kMaxFramePayloadBytes + 1));
    header.request_id = random->Next();
    header.epoch = random->Next();
    header.flags = static_cast<uint16_t>(random->Below(2));
    const auto bytes = header.Encode(meta);
    const auto decoded = FrameHeader::Decode(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, header);
    EXPECT_TRUE(VerifyFrame(bytes, meta).ok());
  }
}

TEST(FrameTest, EveryHeaderBitFlipIsDetected) {
  for (const size_t meta_bytes : {0, 1, 100}) {
    const std::vector<uint8_t> meta = Bytes(meta_bytes);
    const auto bytes = LoadReplyHeader(static_cast<uint32_t>(meta_bytes), 4096).Encode(meta);
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      auto damaged = bytes;
      damaged[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
      EXPECT_FALSE(FrameHeader::Decode(damaged).ok() && VerifyFrame(damaged, meta).ok()) << "bit " << bit;
      EXPECT_EQ(VerifyFrame(damaged, meta).code(), absl::StatusCode::kDataLoss) << "bit " << bit;
    }
  }
}

TEST(FrameTest, EveryFlipBeforeTheChecksumIsDetectedWithoutTheMeta) {
  const auto bytes = LoadReplyHeader(100, 4096).Encode(Bytes(100));
  for (size_t bit = 0; bit < 8 * 40; ++bit) {
    auto damaged = bytes;
    damaged[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(FrameHeader::Decode(damaged).ok()) << "bit " << bit;
  }
}

TEST(FrameTest, EveryMetaBitFlipIsDetected) {
  std::vector<uint8_t> meta = Bytes(300);
  const auto header = LoadReplyHeader(300, 0).Encode(meta);
  for (size_t bit = 0; bit < 8 * meta.size(); ++bit) {
    meta[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    EXPECT_EQ(VerifyFrame(header, meta).code(), absl::StatusCode::kDataLoss) << "bit " << bit;
    meta[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
  }
  EXPECT_TRUE(VerifyFrame(header, meta).ok());
}

TEST(FrameTest, ShorterOrLongerMetaIsDetected) {
  const auto header = LoadReplyHeader(10, 0).Encode(Bytes(10));
  EXPECT_EQ(VerifyFrame(header, Bytes(9)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(VerifyFrame(header, Bytes(11)).code(), absl::StatusCode::kDataLoss);
}

TEST(FrameTest, HeaderOfAnyOtherSizeIsRefused) {
  const auto bytes = LoadReplyHeader(0, 0).Encode({});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(FrameHeader::Decode(ByteView(bytes).first(size)).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(VerifyFrame(ByteView(bytes).first(size), {}).code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_FALSE(FrameHeader::Decode(Bytes(49)).ok());
}

TEST(FrameTest, ForeignBytesAreNamedAsSuch) {
  const auto status =
      FrameHeader::Decode(AsBytes("GET / HTTP/1.1\r\nHost: cache.example:7400\r\nAccept: */*").first(48));
  EXPECT_EQ(status.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.status().message().find("magic 0x20544547, expected 0x31434e49"), std::string::npos)
      << status.status();
}

TEST(FrameTest, UnknownVersionIsAFailedPrecondition) {
  for (const uint8_t version : {0, 2, 255}) {
    auto bytes = LoadReplyHeader(0, 0).Encode({});
    bytes[4] = version;
    const absl::Status status = FrameHeader::Decode(bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(status.message().find("this build knows 1"), std::string::npos) << status;
  }
}

TEST(FrameTest, OnlyKnownTypesAreAccepted) {
  for (int type = 0; type < 256; ++type) {
    FrameHeader header;
    const bool known = type >= 1 && type <= kLastType && type != 34 && type != 38 && type != 39;
    header.type = static_cast<FrameType>(type);
    header.flags = IsReply(header.type) ? 1 : 0;
    const auto bytes = header.Encode({});
    EXPECT_EQ(FrameHeader::Decode(bytes).ok(), known) << "type " << type;
    EXPECT_EQ(IsKnownFrameType(static_cast<uint8_t>(type)), known) << "type " << type;
  }
}

TEST(FrameTest, RepliesAreKnownByTheirType) {
  for (const FrameType type :
       {FrameType::kHello, FrameType::kMatch, FrameType::kPing, FrameType::kClaim, FrameType::kWait}) {
    EXPECT_FALSE(IsReply(type)) << FrameTypeName(type);
  }
  for (const FrameType type :
       {FrameType::kHelloReply, FrameType::kPong, FrameType::kError, FrameType::kClaimReply, FrameType::kWaitReply}) {
    EXPECT_TRUE(IsReply(type)) << FrameTypeName(type);
  }
}

TEST(FrameTest, OnlyLoadAndWaitAreAnsweredInParts) {
  EXPECT_TRUE(DecodeError({.type = FrameType::kWaitReply}).ok());
  EXPECT_TRUE(DecodeError({.type = FrameType::kLoadReply}).ok());
  ExpectRefused({.type = FrameType::kClaimReply}, "carries the flag last");
}

TEST(FrameTest, EveryKnownTypeHasItsName) {
  EXPECT_STREQ(FrameTypeName(FrameType::kHello), "Hello");
  EXPECT_STREQ(FrameTypeName(FrameType::kLoadReply), "LoadReply");
  EXPECT_STREQ(FrameTypeName(FrameType::kStoreReply), "StoreReply");
  EXPECT_STREQ(FrameTypeName(FrameType::kRemoveReply), "RemoveReply");
  EXPECT_STREQ(FrameTypeName(FrameType::kPong), "Pong");
  EXPECT_STREQ(FrameTypeName(FrameType::kError), "Error");
  EXPECT_STREQ(FrameTypeName(FrameType::kRegisterRegion), "RegisterRegion");
  EXPECT_STREQ(FrameTypeName(static_cast<FrameType>(0)), "unknown");
  EXPECT_STREQ(FrameTypeName(static_cast<FrameType>(kLastType + 1)), "unknown");
}

TEST(FrameTest, UndefinedFlagsAreRefused) {
  FrameHeader header = LoadReplyHeader(0, 0);
  header.flags = 4;
  ExpectRefused(header, "defined are 0x3");
}

TEST(FrameTest, OnlyLoadsAndStoresAreShared) {
  for (const FrameType type : {FrameType::kLoad, FrameType::kStore, FrameType::kLoadReply}) {
    EXPECT_TRUE(DecodeError({.type = type, .flags = kFrameFlagShared}).ok());
  }
  ExpectRefused({.type = FrameType::kMatch, .flags = kFrameFlagShared}, "defined are 0x1");
  ExpectRefused({.type = FrameType::kStoreReply, .flags = kFrameFlagShared | kFrameFlagLast}, "defined are 0x1");
  ExpectRefused({.type = FrameType::kLoadReply, .flags = kFrameFlagShared, .payload_bytes = 1},
                "a shared reply has none");
}

TEST(FrameTest, RequestFlaggedLastIsRefused) {
  ExpectRefused({.type = FrameType::kMatch, .flags = kFrameFlagLast}, "requests are not last");
}

TEST(FrameTest, SingleReplyNotFlaggedLastIsRefused) {
  ExpectRefused({.type = FrameType::kMatchReply}, "carries the flag last");
  ExpectRefused({.type = FrameType::kError}, "carries the flag last");
}

TEST(FrameTest, OversizedMetaIsRefused) {
  EXPECT_TRUE(DecodeError(LoadReplyHeader(kMaxMetaBytes, 0)).ok());
  ExpectRefused(LoadReplyHeader(kMaxMetaBytes + 1, 0), "meta_bytes 8388609, at most 8388608");
  ExpectRefused(LoadReplyHeader(0x80000000, 0), "meta_bytes 2147483648, at most 8388608");
  ExpectRefused(LoadReplyHeader(0xffffffff, 0), "meta_bytes 4294967295, at most 8388608");
}

TEST(FrameTest, OversizedPayloadIsRefused) {
  EXPECT_TRUE(DecodeError(LoadReplyHeader(0, kMaxFramePayloadBytes)).ok());
  ExpectRefused(LoadReplyHeader(0, kMaxFramePayloadBytes + 1), "payload_bytes 134217729, at most 134217728");
  ExpectRefused(LoadReplyHeader(0, uint64_t{1} << 63), "payload_bytes 9223372036854775808");
  ExpectRefused(LoadReplyHeader(0, UINT64_MAX), "payload_bytes 18446744073709551615");
}

TEST(FrameTest, OnlyStoreAndLoadReplyCarryPayload) {
  for (uint8_t type = 1; type <= static_cast<uint8_t>(kLastFrameType); ++type) {
    if (!IsKnownFrameType(type)) continue;
    FrameHeader header{.type = static_cast<FrameType>(type), .payload_bytes = 1};
    header.flags = IsReply(header.type) ? kFrameFlagLast : 0;
    if (header.type == FrameType::kStore || header.type == FrameType::kLoadReply) {
      EXPECT_TRUE(DecodeError(header).ok());
    } else {
      ExpectRefused(header, "this type has no payload");
    }
  }
}

TEST(FrameTest, EmptyMessagesCarryNoMeta) {
  ExpectRefused({.type = FrameType::kPing, .meta_bytes = 1}, "this type has no meta");
  ExpectRefused({.type = FrameType::kPing, .meta_bytes = 1}, "this type has no meta");
  ExpectRefused({.type = FrameType::kPong, .flags = kFrameFlagLast, .meta_bytes = 1}, "this type has no meta");
  ExpectRefused({.type = FrameType::kRegionReply, .flags = kFrameFlagLast, .meta_bytes = 1}, "this type has no meta");
  ExpectRefused({.type = FrameType::kReleaseReply, .flags = kFrameFlagLast, .meta_bytes = 1}, "this type has no meta");
}

}  // namespace
}  // namespace incipit::wire
