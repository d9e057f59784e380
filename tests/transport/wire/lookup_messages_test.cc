// Limits of Match, MatchReply, Offer, Touch, Remove and StatusReply. What holds for every message: messages_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "cache/base/byte_writer.h"
#include "tests/transport/wire/message_fields.h"
#include "transport/wire/messages.h"

namespace incipit::wire {
namespace {

template <typename Message>
void ExpectRefused(const Message& message, const std::string& words) {
  const absl::Status status = Message::Decode(Encoded(message)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

TEST(LookupMessagesTest, EmptyBatchIsRefusedByName) {
  ExpectRefused(Match{}, "Match.keys: empty batch");
  ExpectRefused(Offer{}, "Offer.keys: empty batch");
  ExpectRefused(Touch{}, "Touch.keys: empty batch");
  ExpectRefused(Remove{}, "Remove.keys: empty batch");
}

TEST(LookupMessagesTest, AMillionKeysAreRefusedWithAdvice) {
  const std::string key = "k";
  Match match;
  match.keys.assign(1'000'000, KeyRef{0, 0, 0, AsBytes(key)});
  ExpectRefused(match, "Match.keys: 1000000 keys, over the limit of 65536 in one message: split the batch");
}

TEST(LookupMessagesTest, UnknownPresenceIsRefused) {
  ExpectRefused(MatchReply{1, 1, {Presence::kRam, static_cast<Presence>(3)}},
                "MatchReply.presence: is 3, allowed are 0 to 2");
}

TEST(LookupMessagesTest, UnknownStatusIsRefused) {
  ExpectRefused(StatusReply{{static_cast<BlockStatus>(10)}}, "StatusReply.statuses: is 10, allowed are 0 to 9");
}

// The copies that hot blocks should have stand above their presence; what has none costs nothing.
TEST(LookupMessagesTest, MatchReplyCarriesCopies) {
  MatchReply reply{.presence = {Presence::kRam, Presence::kMiss, Presence::kNvme}, .copies = {3, 0, kMaxHotCopies}};
  std::vector<uint8_t> meta = Encoded(reply);
  const auto decoded = MatchReply::Decode(meta);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->presence, reply.presence);
  EXPECT_EQ(decoded->copies, reply.copies);
  EXPECT_EQ(meta.size(), Encoded(MatchReply{.presence = reply.presence}).size());
  EXPECT_TRUE(MatchReply::Decode(Encoded(MatchReply{.presence = reply.presence}))->copies.empty());
  meta.back() |= 0x80;
  EXPECT_THAT(MatchReply::Decode(meta).status().message(), ::testing::HasSubstr("presence: is 242"));
}

TEST(LookupMessagesTest, MatchReplyCarriesTurnsOfHotBlocksOnly) {
  const MatchReply reply{.presence = {Presence::kRam, Presence::kMiss, Presence::kNvme},
                         .copies = {3, 0, kMaxHotCopies},
                         .turns = {255, 0, 7}};
  std::vector<uint8_t> meta = Encoded(reply);
  const auto decoded = MatchReply::Decode(meta);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->turns, reply.turns);
  EXPECT_EQ(meta.size(), Encoded(MatchReply{.presence = reply.presence}).size() + 2);
  EXPECT_TRUE(
      MatchReply::Decode(Encoded(MatchReply{.presence = reply.presence, .copies = reply.copies}))->turns.empty());
  meta.pop_back();
  EXPECT_THAT(MatchReply::Decode(meta).status().message(), ::testing::HasSubstr("turns")) << "all or none";
  meta.push_back(1);
  meta.push_back(1);
  EXPECT_FALSE(MatchReply::Decode(meta).ok()) << "more than hot blocks";
  std::vector<uint8_t> cold = Encoded(MatchReply{.presence = reply.presence});
  cold.push_back(1);
  EXPECT_FALSE(MatchReply::Decode(cold).ok()) << "a turn without a hot block";
}

TEST(LookupMessagesTest, RepliesWithoutAnswersAreRefused) {
  ExpectRefused(MatchReply{}, "MatchReply.presence: empty");
  ExpectRefused(StatusReply{}, "StatusReply.statuses: empty");
}

TEST(LookupMessagesTest, TooManyAnswersAreRefused) {
  MatchReply match{1, 1, std::vector<Presence>(kMaxBatchKeys)};
  EXPECT_TRUE(MatchReply::Decode(Encoded(match)).ok());
  match.presence.push_back(Presence::kMiss);
  ExpectRefused(match, "MatchReply.presence: 65537 answers, over the limit of 65536");
  ExpectRefused(StatusReply{std::vector<BlockStatus>(kMaxBatchKeys + 1)}, "65537 answers, over the limit of 65536");
}

TEST(LookupMessagesTest, NegativeAnswerCountIsOverTheLimit) {
  std::vector<uint8_t> bytes;
  ByteWriter(&bytes).Write(uint32_t{0x80000000});
  const absl::Status status = StatusReply::Decode(bytes).status();
  EXPECT_NE(status.message().find("2147483648 answers, over the limit of 65536"), std::string::npos) << status;
}

}  // namespace
}  // namespace incipit::wire
