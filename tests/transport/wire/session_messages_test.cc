// Limits of Hello, HelloReply, OpenNamespace, StatsReply and Error. What holds for every message: messages_test.cc.
#include <gtest/gtest.h>

#include <string>

#include "cache/base/byte_writer.h"
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

template <typename Message>
Message Valid() {
  return RandomMessages(1).Make<Message>();
}

TEST(HelloTest, ReversedVersionRangeIsRefused) {
  Hello hello = Valid<Hello>();
  hello.min_version = 3;
  hello.max_version = 2;
  ExpectRefused(hello, "Hello.max_version: is 2, allowed are 3 to 65535");
}

TEST(HelloTest, VersionZeroIsRefused) {
  Hello hello = Valid<Hello>();
  hello.min_version = 0;
  ExpectRefused(hello, "Hello.min_version: is 0");
}

TEST(HelloTest, TenantMustBeNamed) {
  Hello hello = Valid<Hello>();
  hello.tenant.clear();
  ExpectRefused(hello, "Hello.tenant: empty");
}

TEST(HelloTest, OverlongNamesAreRefused) {
  Hello hello = Valid<Hello>();
  hello.tenant.assign(129, 't');
  ExpectRefused(hello, "Hello.tenant: 129 bytes, over the limit of 128");
  hello.tenant = "t";
  hello.client_name.assign(70'000, 'c');
  ExpectRefused(hello, "Hello.client_name: 65535 bytes, over the limit of 128");
}

TEST(HelloReplyTest, ShardBeyondTheCountIsRefused) {
  HelloReply reply = Valid<HelloReply>();
  reply.shard = reply.shard_count = 4;
  ExpectRefused(reply, "HelloReply.shard: is 4 of a node with 4 shards");
}

TEST(HelloReplyTest, NodeWithoutShardsIsRefused) {
  HelloReply reply = Valid<HelloReply>();
  reply.shard_count = 0;
  ExpectRefused(reply, "HelloReply.shard_count: is 0");
}

TEST(HelloReplyTest, LimitsOverThoseOfTheFormatAreRefused) {
  HelloReply reply = Valid<HelloReply>();
  reply.max_batch_keys = kMaxBatchKeys + 1;
  ExpectRefused(reply, "HelloReply.max_batch_keys: is 65537, allowed are 1 to 65536");
  reply.max_batch_keys = 0;
  ExpectRefused(reply, "HelloReply.max_batch_keys: is 0");
  reply.max_batch_keys = 1;
  reply.max_frame_payload_bytes = uint64_t{1} << 63;
  ExpectRefused(reply, "HelloReply.max_frame_payload_bytes: is 9223372036854775808, allowed are 1 to 134217728");
}

TEST(OpenNamespaceTest, ModelAndLayoutMustBeGiven) {
  OpenNamespace open = Valid<OpenNamespace>();
  open.model.clear();
  ExpectRefused(open, "OpenNamespace.model: empty");
  open.model = "m";
  open.layout.clear();
  ExpectRefused(open, "OpenNamespace.layout: empty");
}

TEST(OpenNamespaceTest, LayoutUpToItsLimitIsAccepted) {
  OpenNamespace open{"m", std::vector<uint8_t>(OpenNamespace::kMaxLayoutBytes)};
  EXPECT_TRUE(OpenNamespace::Decode(Encoded(open)).ok());
  open.layout.push_back(0);
  ExpectRefused(open, "OpenNamespace.layout: 16385 bytes, over the limit of 16384");
}

TEST(OpenNamespaceTest, NegativeLayoutLengthIsOverTheLimit) {
  std::vector<uint8_t> bytes;
  ByteWriter writer(&bytes);
  writer.WriteText("model");
  writer.Write(uint32_t{0xfffffff0});
  const absl::Status status = OpenNamespace::Decode(bytes).status();
  EXPECT_NE(status.message().find("4294967280 bytes, over the limit of 16384"), std::string::npos) << status;
}

TEST(StatsReplyTest, TooManyValuesAreRefused) {
  StatsReply reply;
  reply.values.assign(kMaxStatsValues, {"n", 1});
  EXPECT_TRUE(StatsReply::Decode(Encoded(reply)).ok());
  reply.values.emplace_back("n", 1);
  ExpectRefused(reply, "StatsReply.values: 4097 values, over the limit of 4096");
}

TEST(StatsReplyTest, NamesMustBeOneTo128Bytes) {
  ExpectRefused(StatsReply{{{"", 1}}}, "StatsReply.values.name: empty");
  ExpectRefused(StatsReply{{{std::string(129, 'n'), 1}}}, "StatsReply.values.name: 129 bytes, over the limit of 128");
}

TEST(ErrorTest, LongMessageIsCutBetweenCharacters) {
  Error error{absl::StatusCode::kInternal, 0, std::string(2000, 'x')};
  EXPECT_EQ(Error::Decode(Encoded(error))->message, std::string(1024, 'x'));
  error.message.replace(1023, 2, "\xc3\xa9");  // é across the cut
  EXPECT_EQ(Error::Decode(Encoded(error))->message, std::string(1023, 'x'));
}

TEST(ErrorTest, CodeOutsideTheKnownOnesIsRefused) {
  ExpectRefused(Error{absl::StatusCode::kOk, 0, ""}, "Error.code: is 0, allowed are 1 to 16");
  ExpectRefused(Error{static_cast<absl::StatusCode>(17), 0, ""}, "Error.code: is 17, allowed are 1 to 16");
}

}  // namespace
}  // namespace incipit::wire
