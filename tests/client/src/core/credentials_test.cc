#include "client/src/core/credentials.h"

#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"
#include "tests/support/wire_samples.h"
#include "tests/transport/wire/message_fields.h"

namespace incipit {
namespace {

constexpr char kSecret[] = "0123456789abcdef";

class CredentialsTest : public ::testing::Test {
 protected:
  CredentialsTest() : fixture_(1) { fixture_.options.secret = kSecret; }
  // What the client says of a node whose answers to Hello and Proof are these; nullptr: the fake node's own.
  using Script = std::function<std::vector<uint8_t>(wire::FrameType* type, ByteView asked)>;
  absl::Status ConnectTo(Script to_hello, Script to_proof) {
    fixture_.node->intercept = [=](FakeNode::Connection* connection, wire::FrameHeader header,
                                   ByteView meta) -> Task<bool> {
      const bool hello = header.type == wire::FrameType::kHello;
      if (!hello && header.type != wire::FrameType::kProof) co_return false;
      wire::FrameType type = hello ? wire::FrameType::kChallenge : wire::FrameType::kProofReply;
      std::vector<uint8_t> out = hello ? to_hello(&type, meta) : to_proof(&type, meta);
      Task<absl::Status> replying = FakeNode::Reply(connection, type, header.request_id, std::move(out));
      const absl::Status ignored = co_await replying;
      co_return true;
    };
    fixture_.Connect();
    return fixture_.loop.Run(fixture_.client->WaitConnected());
  }
  static std::vector<uint8_t> NodeReply() {
    wire::HelloReply reply;
    reply.node_id = 77;
    reply.placement_seed.fill(0x5a);
    return wire::Encoded(reply);
  }
  std::vector<uint8_t> Challenge(ByteView hello) {
    hello_.assign(hello.begin(), hello.end());
    return wire::Encoded(wire::samples::SampleChallenge());
  }
  AuthExchange Exchange(const wire::Proof& proof) const { return {hello_, server_nonce_, proof.client_nonce}; }
  std::vector<uint8_t> HonestReply(ByteView meta, const std::string& secret = kSecret) {
    const wire::Proof proof = *wire::Proof::Decode(meta);
    wire::ProofReply reply{.hello_reply = NodeReply()};
    reply.proof = ServerProof(ReplyKey(TenantKey(AsBytes(secret)), Exchange(proof)), reply.hello_reply);
    return wire::Encoded(reply);
  }

  ClientFixture fixture_;
  std::vector<uint8_t> hello_;
  wire::NonceBytes server_nonce_ = wire::samples::SampleChallenge().server_nonce;
};

TEST_F(CredentialsTest, ClientProvesItselfAndBelievesANodeThatDoes) {
  bool proven = false;
  const absl::Status status = ConnectTo([&](wire::FrameType*, ByteView hello) { return Challenge(hello); },
                                        [&](wire::FrameType*, ByteView meta) {
                                          const wire::Proof proof = *wire::Proof::Decode(meta);
                                          proven =
                                              proof.proof == ClientProof(TenantKey(AsBytes(kSecret)), Exchange(proof));
                                          return HonestReply(meta);
                                        });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(proven);
  EXPECT_EQ(wire::Hello::Decode(hello_)->features & wire::kFeatureCredentials, wire::kFeatureCredentials);
  EXPECT_TRUE(fixture_.client->options().secret.empty()) << "the secret is not kept";
}

TEST_F(CredentialsTest, NodeThatDoesNotKnowTheSecretIsLeft) {
  const absl::Status status =
      ConnectTo([&](wire::FrameType*, ByteView hello) { return Challenge(hello); },
                [&](wire::FrameType*, ByteView meta) { return HonestReply(meta, "another secret!!"); });
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
  EXPECT_EQ(fixture_.node->requests[wire::FrameType::kOpenNamespace], 0);
}

TEST_F(CredentialsTest, NodeThatSendsTheClientsOwnProofBackIsLeft) {
  const absl::Status status = ConnectTo([&](wire::FrameType*, ByteView hello) { return Challenge(hello); },
                                        [&](wire::FrameType*, ByteView meta) {
                                          wire::ProofReply reply{.hello_reply = NodeReply()};
                                          reply.proof = wire::Proof::Decode(meta)->proof;
                                          return wire::Encoded(reply);
                                        });
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
}

TEST_F(CredentialsTest, AnswerOfAnotherSessionIsWorthNothing) {
  const absl::Status status = ConnectTo([&](wire::FrameType*, ByteView hello) { return Challenge(hello); },
                                        [&](wire::FrameType*, ByteView meta) {
                                          const wire::Proof now = *wire::Proof::Decode(meta);
                                          wire::Proof before = now;
                                          before.client_nonce[0] ^= 1;
                                          std::vector<uint8_t> other;
                                          before.Encode(&other);
                                          return HonestReply(other);
                                        });
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
}

TEST_F(CredentialsTest, WhatTheNodeSaysOfItselfCannotBeChangedOnTheWay) {
  const absl::Status status = ConnectTo([&](wire::FrameType*, ByteView hello) { return Challenge(hello); },
                                        [&](wire::FrameType*, ByteView meta) {
                                          std::vector<uint8_t> reply = HonestReply(meta);
                                          reply.back() ^= 1;
                                          return reply;
                                        });
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
}

TEST_F(CredentialsTest, NodeThatAsksForNothingIsLeft) {
  const absl::Status status = ConnectTo(
      [&](wire::FrameType* type, ByteView) {
        *type = wire::FrameType::kHelloReply;
        return NodeReply();
      },
      nullptr);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(fixture_.node->requests[wire::FrameType::kProof], 0);
}

TEST_F(CredentialsTest, ChallengeOfAnotherLengthIsRefused) {
  for (const size_t bytes : {0u, 31u, 33u, 5000u}) {
    CredentialExchange exchange(nullptr, {});
    EXPECT_TRUE(absl::IsInvalidArgument(exchange.Answer(std::vector<uint8_t>(bytes), nullptr).status())) << bytes;
  }
  const absl::Status status = ConnectTo([&](wire::FrameType*, ByteView) { return std::vector<uint8_t>(33); }, nullptr);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(fixture_.node->requests[wire::FrameType::kProof], 0);
}

TEST_F(CredentialsTest, ChallengeToAClientWithoutASecretIsNoAnswer) {
  fixture_.options.secret.clear();
  const absl::Status status = ConnectTo([&](wire::FrameType*, ByteView hello) { return Challenge(hello); }, nullptr);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(fixture_.node->requests[wire::FrameType::kProof], 0);
  EXPECT_EQ(wire::Hello::Decode(hello_)->features & wire::kFeatureCredentials, 0u);
}

TEST_F(CredentialsTest, OptionsAreChecked) {
  fixture_.options.secret = "too short";
  EXPECT_TRUE(absl::IsInvalidArgument(ClientCore::CheckOptions(fixture_.options)));
  fixture_.options.secret = kSecret;
  EXPECT_TRUE(ClientCore::CheckOptions(fixture_.options).ok());
  fixture_.options.secret_file = "file";
  EXPECT_TRUE(absl::IsInvalidArgument(ClientCore::CheckOptions(fixture_.options)));
  fixture_.options.secret_file.clear();
  fixture_.options.namespace_owner.assign(129, 'o');
  EXPECT_TRUE(absl::IsInvalidArgument(ClientCore::CheckOptions(fixture_.options)));
}

}  // namespace
}  // namespace incipit
