// Limits of Load and LoadReply. What holds for every message: messages_test.cc.
#include <gtest/gtest.h>

#include <string>

#include "tests/transport/wire/message_fields.h"
#include "tests/transport/wire/random_messages.h"
#include "transport/wire/messages.h"

namespace incipit::wire {
namespace {

template <typename Message>
void ExpectRefused(const Message& message, const std::string& words) {
  const absl::Status status = Message::Decode(Encoded(message)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

LoadedBlock Hit(std::vector<Segment> segments) {
  return {.index = 0, .status = BlockStatus::kOk, .tier = Presence::kRam, .segments = std::move(segments)};
}

Segment Sized(uint64_t bytes) { return {static_cast<uint32_t>(bytes), static_cast<uint32_t>(bytes), 1}; }

TEST(LoadTest, SegmentRangeIsChecked) {
  RandomMessages random(1);
  Load load = random.Make<Load>();
  load.first_segment = kMaxSegments;
  ExpectRefused(load, "Load.first_segment: is 1024, allowed are 0 to 1023");
  load.first_segment = 0;
  for (const uint16_t count : {uint16_t{0}, uint16_t{kMaxSegments + 1}, uint16_t{0x8000}, uint16_t{0xfffe}}) {
    load.segment_count = count;
    ExpectRefused(load, "Load.segment_count: is " + std::to_string(count));
  }
  load.segment_count = kAllSegments;
  EXPECT_TRUE(Load::Decode(Encoded(load)).ok());
}

TEST(LoadTest, EmptyBatchIsRefused) { ExpectRefused(Load{}, "Load.keys: empty batch"); }

TEST(LoadReplyTest, ReplyWithoutBlocksIsAccepted) { EXPECT_TRUE(LoadReply::Decode(Encoded(LoadReply{})).ok()); }

TEST(LoadReplyTest, IndexOutsideAnyBatchIsRefused) {
  LoadReply reply{{{.index = kMaxBatchKeys}}};
  ExpectRefused(reply, "LoadReply.blocks.index: is 65536, allowed are 0 to 65535");
}

TEST(LoadReplyTest, UnknownEnumsAreRefused) {
  LoadedBlock block = Hit({Sized(1)});
  block.status = static_cast<BlockStatus>(10);
  ExpectRefused(LoadReply{{block}}, "LoadReply.blocks.status: is 10");
  block = Hit({Sized(1)});
  block.tier = static_cast<Presence>(3);
  ExpectRefused(LoadReply{{block}}, "LoadReply.blocks.tier: is 3");
  block = Hit({Sized(1)});
  block.codec = static_cast<Codec>(200);
  ExpectRefused(LoadReply{{block}}, "LoadReply.blocks.codec: is 200");
}

TEST(LoadReplyTest, StatusesOfStoresAreRefused) {
  for (const BlockStatus status : {BlockStatus::kPresent, BlockStatus::kConflict, BlockStatus::kWanted}) {
    ExpectRefused(LoadReply{{{.status = status}}}, "only answers stores and offers");
  }
}

TEST(LoadReplyTest, HitWithoutTierIsRefused) {
  LoadedBlock block = Hit({Sized(1)});
  block.tier = Presence::kMiss;
  ExpectRefused(LoadReply{{block}}, "LoadReply.blocks.tier: is 0");
}

TEST(LoadReplyTest, MissWithSegmentsIsRefused) {
  LoadedBlock block = Hit({Sized(1)});
  block.status = BlockStatus::kMiss;
  ExpectRefused(LoadReply{{block}}, "LoadReply.blocks.segment_count: is 1 for a block of status 1");
}

TEST(LoadReplyTest, TooManySegmentsAreRefused) {
  EXPECT_TRUE(LoadReply::Decode(Encoded(LoadReply{{Hit(std::vector<Segment>(kMaxSegments))}})).ok());
  ExpectRefused(LoadReply{{Hit(std::vector<Segment>(kMaxSegments + 1))}}, "1025 segments, over the limit of 1024");
}

TEST(LoadReplyTest, TooManyBlocksAreRefused) {
  LoadReply reply;
  reply.blocks.resize(kMaxBatchKeys + 1);
  ExpectRefused(reply, "LoadReply.blocks: 65537 blocks, over the limit of 65536");
}

TEST(LoadReplyTest, PayloadSumsAreChecked) {
  EXPECT_TRUE(LoadReply::Decode(Encoded(LoadReply{{Hit({Sized(kMaxPayloadBytes)})}})).ok());
  ExpectRefused(LoadReply{{Hit({Sized(kMaxPayloadBytes), Sized(1)})}}, "67108865 stored and 67108865 raw bytes");
  const LoadedBlock largest = Hit({Sized(kMaxPayloadBytes)});
  const LoadReply full{{largest, largest}};
  EXPECT_EQ(full.PayloadBytes(), kMaxFramePayloadBytes);
  EXPECT_TRUE(LoadReply::Decode(Encoded(full)).ok());
  ExpectRefused(LoadReply{{largest, largest, Hit({Sized(1)})}}, "payload of 134217729 bytes or more");
}

TEST(LoadReplyTest, PayloadBytesAddsUpAllSegments) {
  EXPECT_EQ((LoadReply{{Hit({Sized(1), Sized(20)}), {.index = 1}, Hit({Sized(300)})}}).PayloadBytes(), 321u);
}

}  // namespace
}  // namespace incipit::wire
