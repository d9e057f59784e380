// Limits of Peer and Drain. What holds for every message: messages_test.cc.
#include "transport/wire/node_messages.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/transport/wire/message_fields.h"

namespace incipit::wire {
namespace {

template <typename Message>
void ExpectRefused(const Message& message, const std::string& words) {
  const absl::Status status = Message::Decode(Encoded(message)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

TEST(NodeMessagesTest, ADrainHasAnEndWithinADay) {
  EXPECT_TRUE(Drain::Decode(Encoded(Drain{DrainAction::kBegin, false, 1, 0})).ok());
  EXPECT_TRUE(Drain::Decode(Encoded(Drain{DrainAction::kBegin, true, kMaxDrainTimeoutMs, 5})).ok());
  ExpectRefused(Drain{DrainAction::kBegin, false, 0, 0}, "Drain.timeout_ms: is 0");
  ExpectRefused(Drain{DrainAction::kBegin, false, kMaxDrainTimeoutMs + 1, 0}, "Drain.timeout_ms");
}

TEST(NodeMessagesTest, AQuestionCarriesNothingElse) {
  EXPECT_TRUE(Drain::Decode(Encoded(Drain{})).ok());
  EXPECT_TRUE(Drain::Decode(Encoded(Drain{DrainAction::kCancel})).ok());
  ExpectRefused(Drain{DrainAction::kTell, true, 0, 0}, "Drain.action");
  ExpectRefused(Drain{DrainAction::kCancel, false, 1, 0}, "Drain.action");
  ExpectRefused(Drain{DrainAction::kCancel, false, 0, 1}, "Drain.action");
}

TEST(NodeMessagesTest, UnknownActionsStatesAndFlagsAreRefused) {
  std::vector<uint8_t> drain = Encoded(Drain{});
  drain[0] = 3;
  EXPECT_FALSE(Drain::Decode(drain).ok());
  drain[0] = 0;
  drain[1] = 2;
  EXPECT_FALSE(Drain::Decode(drain).ok());
  std::vector<uint8_t> reply = Encoded(DrainReply{});
  reply[0] = 5;
  EXPECT_FALSE(DrainReply::Decode(reply).ok());
}

TEST(NodeMessagesTest, ALongMessageIsCut) {
  DrainReply reply;
  reply.message = std::string(3000, 'x');
  const auto decoded = DrainReply::Decode(Encoded(reply));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->message.size(), kMaxDrainMessageBytes);
}

}  // namespace
}  // namespace incipit::wire
