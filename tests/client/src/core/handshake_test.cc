#include "client/src/core/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

using testing::HasSubstr;

// What a client is told when the node answers its first or second request by `answer`.
absl::Status ConnectAgainst(wire::FrameType request,
                            std::function<Task<void>(FakeNode::Connection*, wire::FrameHeader)> answer) {
  ClientFixture f(1);
  f.node->intercept = [&](FakeNode::Connection* connection, wire::FrameHeader header, ByteView) -> Task<bool> {
    if (header.type != request) co_return false;
    co_await answer(connection, header);
    co_return true;
  };
  f.Connect();
  return f.loop.Run(f.client->WaitConnected());
}

Task<void> SendHello(FakeNode::Connection* connection, uint64_t id, wire::HelloReply reply) {
  std::vector<uint8_t> meta;
  reply.Encode(&meta);
  co_await FakeNode::Reply(connection, wire::FrameType::kHelloReply, id, std::move(meta));
}

TEST(Handshake, TellsTheNodeWhoAndWhat) {
  ClientFixture f(2);
  f.options.tenant = "tenant-7";
  f.ConnectAndWait();
  EXPECT_EQ(f.node->tenant, "tenant-7");
  EXPECT_EQ(f.node->model, "small-model");
}

TEST(Handshake, RefusalKeepsItsCodeAndText) {
  const absl::Status status =
      ConnectAgainst(wire::FrameType::kHello, [](FakeNode::Connection* connection, auto header) -> Task<void> {
        co_await FakeNode::ReplyError(connection, header.request_id, absl::StatusCode::kFailedPrecondition);
      });
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("scripted"));
}

TEST(Handshake, RefusedNamespaceIsTheCallersMistake) {
  const absl::Status status =
      ConnectAgainst(wire::FrameType::kOpenNamespace, [](FakeNode::Connection* connection, auto header) -> Task<void> {
        co_await FakeNode::ReplyError(connection, header.request_id, absl::StatusCode::kInvalidArgument);
      });
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

TEST(Handshake, SilenceIsUnavailableAfterTheTimeout) {
  for (const wire::FrameType type : {wire::FrameType::kHello, wire::FrameType::kOpenNamespace}) {
    const absl::Status status = ConnectAgainst(type, [](auto*, auto) -> Task<void> { co_return; });
    EXPECT_FALSE(status.ok());
    EXPECT_FALSE(absl::IsInvalidArgument(status)) << status;
  }
}

TEST(Handshake, VersionThatWasNotOfferedIsRefused) {
  const absl::Status status =
      ConnectAgainst(wire::FrameType::kHello, [](FakeNode::Connection* connection, auto header) -> Task<void> {
        wire::HelloReply reply;
        reply.version = wire::kProtocolVersion + 1;
        co_await SendHello(connection, header.request_id, reply);
      });
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST(Handshake, AnswerToAnotherRequestIsRefused) {
  const absl::Status status =
      ConnectAgainst(wire::FrameType::kHello, [](FakeNode::Connection* connection, auto header) -> Task<void> {
        wire::HelloReply reply;
        co_await SendHello(connection, header.request_id + 1, reply);
      });
  EXPECT_FALSE(status.ok());
}

TEST(Handshake, AnotherShardThanAskedForIsRefused) {
  ClientFixture f(3);
  f.node->shard_count = 2;
  f.node->intercept = [](FakeNode::Connection* connection, wire::FrameHeader header, ByteView meta) -> Task<bool> {
    if (header.type != wire::FrameType::kHello || wire::Hello::Decode(meta)->shard != 1) co_return false;
    wire::HelloReply reply;
    reply.shard = 0;
    reply.shard_count = 2;
    reply.node_id = 77;
    reply.placement_seed.fill(0x5a);
    co_await SendHello(connection, header.request_id, reply);
    co_return true;
  };
  f.Connect();
  EXPECT_FALSE(f.loop.Run(f.client->WaitConnected()).ok());
}

}  // namespace
}  // namespace incipit
