// Limits of Claim, ClaimReply, Wait and WaitReply. What holds for every message: messages_test.cc.
#include "transport/wire/claim_messages.h"

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

TEST(ClaimMessagesTest, AClaimNeedsKeysAndATime) {
  const std::string key = "k";
  ExpectRefused(Claim{1, 1000, 0, {}}, "Claim.keys: empty batch");
  ExpectRefused(Claim{1, 0, 0, {{0, 0, 0, AsBytes(key)}}}, "Claim.claim_ms: is 0, allowed are 1 to");
}

TEST(ClaimMessagesTest, ARenewalCarriesNoKeys) {
  std::vector<uint8_t> bytes = Encoded(Claim{1, 1000, kClaimIdBit | 1, {}});
  EXPECT_EQ(bytes.size(), 16u);
  bytes.push_back(0);
  EXPECT_FALSE(Claim::Decode(bytes).ok());
}

TEST(ClaimMessagesTest, AReplyToARenewalHasNoStates) { EXPECT_TRUE(ClaimReply::Decode(Encoded(ClaimReply{})).ok()); }

TEST(ClaimMessagesTest, UnknownStatesAreRefused) {
  ExpectRefused(ClaimReply{1, 1, 0, {static_cast<BlockState>(5)}}, "ClaimReply.states: is 5, allowed are 0 to 4");
  ExpectRefused(WaitReply{1, {{0, 1, static_cast<BlockState>(5)}}}, "WaitReply.runs.state: is 5, allowed are 0 to 4");
  ExpectRefused(WaitReply{1, {{0, 1, BlockState::kClaimed}}}, "is 3 (claimed), which a wait never gives");
}

TEST(ClaimMessagesTest, TooManyStatesAreRefused) {
  ClaimReply reply{1, 1, 0, std::vector<BlockState>(kMaxBatchKeys)};
  EXPECT_TRUE(ClaimReply::Decode(Encoded(reply)).ok());
  reply.states.push_back(BlockState::kFree);
  ExpectRefused(reply, "65537 answers, over the limit of 65536");
}

TEST(ClaimMessagesTest, RunsStayWithinWhatABatchCanHold) {
  EXPECT_TRUE(WaitReply::Decode(Encoded(WaitReply{1, {{0, kMaxBatchKeys, BlockState::kRam}}})).ok());
  ExpectRefused(WaitReply{1, {{0, 0, BlockState::kRam}}}, "WaitReply.runs.run_keys: is 0, allowed are 1 to 65536");
  ExpectRefused(WaitReply{1, {{65'535, 2, BlockState::kRam}}}, "run_keys: is 2, allowed are 1 to 1");
  ExpectRefused(WaitReply{1, {{65'536, 1, BlockState::kRam}}}, "first: is 65536, allowed are 0 to 65535");
  ExpectRefused(WaitReply{1, {{0, UINT32_MAX, BlockState::kRam}}}, "run_keys: is 4294967295, allowed are 1 to 65536");
}

TEST(ClaimMessagesTest, AWaitNeedsADeadline) {
  const std::string key = "k";
  ExpectRefused(Wait{1, 0, {{0, 0, 0, AsBytes(key)}}}, "Wait.deadline_ms: is 0, allowed are 1 to");
  ExpectRefused(Wait{1, 5, {}}, "Wait.keys: empty batch");
}

}  // namespace
}  // namespace incipit::wire
