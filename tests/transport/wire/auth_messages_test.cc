#include "transport/wire/auth_messages.h"

#include <gtest/gtest.h>

#include "tests/support/wire_samples.h"
#include "tests/transport/wire/message_fields.h"

namespace incipit::wire {
namespace {

// Every message of another length than it has is refused, at each length up to twice its own.
template <typename Message>
void ExpectOnlyItsOwnLength(const Message& sample) {
  const std::vector<uint8_t> meta = Encoded(sample);
  for (size_t bytes = 0; bytes <= 2 * meta.size(); ++bytes) {
    std::vector<uint8_t> cut = meta;
    cut.resize(bytes, 0x55);
    EXPECT_EQ(Message::Decode(cut).ok(), bytes == meta.size()) << bytes << " of " << meta.size();
  }
}

TEST(AuthMessages, ChallengeIsReadBackAndOnlyAtItsLength) {
  const Challenge sample = samples::SampleChallenge();
  EXPECT_EQ(Challenge::Decode(Encoded(sample))->server_nonce, sample.server_nonce);
  ExpectOnlyItsOwnLength(sample);
}

TEST(AuthMessages, ProofIsReadBackAndOnlyAtItsLength) {
  const Proof sample = samples::SampleProof();
  const auto decoded = Proof::Decode(Encoded(sample));
  EXPECT_EQ(decoded->client_nonce, sample.client_nonce);
  EXPECT_EQ(decoded->proof, sample.proof);
  ExpectOnlyItsOwnLength(sample);
}

TEST(AuthMessages, ProofReplyIsReadBackAndOnlyAtItsLength) {
  const ProofReply sample = samples::SampleProofReply();
  const auto decoded = ProofReply::Decode(Encoded(sample));
  EXPECT_EQ(decoded->proof, sample.proof);
  EXPECT_EQ(decoded->hello_reply, sample.hello_reply);
  ExpectOnlyItsOwnLength(sample);
}

TEST(AuthMessages, ProofReplyOfNothingOrOverItsLimitIsRefused) {
  ProofReply reply = samples::SampleProofReply();
  reply.hello_reply.clear();
  EXPECT_FALSE(ProofReply::Decode(Encoded(reply)).ok());
  reply.hello_reply.assign(ProofReply::kMaxHelloReplyBytes + 1, 1);
  EXPECT_FALSE(ProofReply::Decode(Encoded(reply)).ok());
}

TEST(AuthMessages, OpenSharedIsReadBackAndItsNamesAreChecked) {
  const OpenShared sample = samples::SampleOpenShared();
  const auto decoded = OpenShared::Decode(Encoded(sample));
  EXPECT_EQ(decoded->owner, sample.owner);
  EXPECT_EQ(decoded->model, sample.model);
  EXPECT_EQ(decoded->layout, sample.layout);
  ExpectOnlyItsOwnLength(sample);
  for (OpenShared bad : {OpenShared{"", "m", {1}}, OpenShared{std::string(129, 'o'), "m", {1}},
                         OpenShared{"o", "", {1}}, OpenShared{"o", "m", {}}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(OpenShared::Decode(Encoded(bad)).status())) << bad.owner;
  }
}

}  // namespace
}  // namespace incipit::wire
