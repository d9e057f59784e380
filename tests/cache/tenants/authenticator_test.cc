#include "cache/tenants/authenticator.h"

#include <gtest/gtest.h>

#include "tests/support/tenants.h"

namespace incipit {
namespace {

using testing::KeyOfTenant;
using testing::MakeTable;
using testing::MakeTenant;

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest()
      : random_(MakeSeededRandom(1)),
        authenticator_(
            random_.get(), [this](const std::string& line) { lines_.push_back(line); },
            MakeTable({MakeTenant("acme"), MakeTenant("other")})) {}

  wire::Hello HelloOf(const std::string& tenant) const {
    wire::Hello hello;
    hello.tenant = tenant;
    hello.features = wire::kFeatureCredentials;
    return hello;
  }
  Authenticator::Refused Begin(const std::string& tenant, Authenticator::Attempt* attempt, int64_t now_ns = 1) {
    std::vector<uint8_t> meta;
    HelloOf(tenant).Encode(&meta);
    return authenticator_.Begin("10.0.0.5:99", HelloOf(tenant), meta, now_ns, attempt);
  }
  static wire::Proof ProofFor(const Authenticator::Attempt& attempt, const TenantKey& key) {
    wire::Proof proof;
    proof.client_nonce.fill(9);
    proof.proof = ClientProof(key, {attempt.hello, attempt.server_nonce, proof.client_nonce});
    return proof;
  }
  absl::StatusOr<SessionPass> Try(const std::string& tenant, const TenantKey& key) {
    Authenticator::Attempt attempt;
    const Authenticator::Refused begun = Begin(tenant, &attempt);
    if (!begun.status.ok()) return begun.status;
    return authenticator_.Finish(attempt, ProofFor(attempt, key), 1);
  }

  std::unique_ptr<Random> random_;
  std::vector<std::string> lines_;
  Authenticator authenticator_;
};

TEST_F(AuthenticatorTest, RightSecretGivesAPassThatTheClientCanCheck) {
  Authenticator::Attempt attempt;
  ASSERT_TRUE(Begin("acme", &attempt).status.ok());
  const wire::Proof proof = ProofFor(attempt, KeyOfTenant("acme"));
  const auto pass = authenticator_.Finish(attempt, proof, 1);
  ASSERT_TRUE(pass.ok()) << pass.status();
  EXPECT_TRUE(pass->proven);
  EXPECT_EQ(pass->tenant, "acme");
  ASSERT_TRUE(pass->reply_key.has_value());
  EXPECT_EQ(*pass->reply_key, ReplyKey(KeyOfTenant("acme"), {attempt.hello, attempt.server_nonce, proof.client_nonce}));
  EXPECT_TRUE(lines_.empty());
}

TEST_F(AuthenticatorTest, UnknownTenantAndWrongSecretAreToldApartByNothing) {
  const auto wrong = Try("acme", KeyOfTenant("other"));
  const auto unknown = Try("nobody", KeyOfTenant("nobody"));
  EXPECT_TRUE(absl::IsUnauthenticated(wrong.status()));
  EXPECT_EQ(wrong.status(), unknown.status());
  EXPECT_EQ(authenticator_.counters().failures, 2u);
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_EQ(lines_[0].substr(lines_[0].find("cause=")), lines_[1].substr(lines_[1].find("cause=")));
}

TEST_F(AuthenticatorTest, ProofOfAnotherAttemptIsWorthNothing) {
  Authenticator::Attempt first, second;
  ASSERT_TRUE(Begin("acme", &first).status.ok());
  ASSERT_TRUE(Begin("acme", &second).status.ok());
  EXPECT_NE(first.server_nonce, second.server_nonce);
  EXPECT_TRUE(authenticator_.Finish(first, ProofFor(first, KeyOfTenant("acme")), 1).ok());
  EXPECT_FALSE(authenticator_.Finish(second, ProofFor(first, KeyOfTenant("acme")), 1).ok());
}

TEST_F(AuthenticatorTest, ProofForOneTenantIsNoneForAnother) {
  Authenticator::Attempt attempt;
  ASSERT_TRUE(Begin("acme", &attempt).status.ok());
  const wire::Proof proof = ProofFor(attempt, KeyOfTenant("acme"));
  attempt.tenant = "other";
  EXPECT_FALSE(authenticator_.Finish(attempt, proof, 1).ok());
}

TEST_F(AuthenticatorTest, ClientWithoutCredentialsIsSentAwayBeforeAnyChallenge) {
  wire::Hello hello = HelloOf("acme");
  hello.features = 0;
  Authenticator::Attempt attempt;
  EXPECT_TRUE(absl::IsUnauthenticated(authenticator_.Begin("p:1", hello, {}, 1, &attempt).status));
}

TEST_F(AuthenticatorTest, UserOfThisHostIsTheTenantThatListsItAndNoOther) {
  Tenant acme = MakeTenant("acme");
  acme.uids = {1001};
  authenticator_.SetTenants(MakeTable({acme, MakeTenant("other")}));
  wire::Hello hello = HelloOf("acme");
  hello.features = 0;
  const PeerCredentials listed{.uid = 1001, .gid = 5, .pid = 9}, another{.uid = 1002, .gid = 5, .pid = 9};
  const auto pass = authenticator_.Recognize(listed, hello);
  ASSERT_TRUE(pass.has_value());
  EXPECT_TRUE(pass->proven);
  EXPECT_EQ(pass->tenant, "acme");
  EXPECT_FALSE(pass->reply_key.has_value());
  EXPECT_FALSE(authenticator_.Recognize(another, hello).has_value());
  EXPECT_FALSE(authenticator_.Recognize(std::nullopt, hello).has_value()) << "over the network there are no users";
  EXPECT_FALSE(authenticator_.Recognize(listed, HelloOf("acme")).has_value()) << "it offers credentials: challenge it";
  hello.tenant = "other";
  EXPECT_FALSE(authenticator_.Recognize(listed, hello).has_value());
}

TEST_F(AuthenticatorTest, TenantWithoutASecretCannotBeProven) {
  authenticator_.SetTenants(MakeTable({{.name = "acme", .uids = {1001}}}));
  EXPECT_TRUE(absl::IsUnauthenticated(Try("acme", KeyOfTenant("acme")).status()));
}

TEST_F(AuthenticatorTest, FailuresMakeThePeerWaitEvenWithTheRightSecretAndOnlyWithThatName) {
  for (uint32_t i = 0; i <= kFreeFailures; ++i) EXPECT_FALSE(Try("acme", KeyOfTenant("other")).ok());
  Authenticator::Attempt attempt;
  const Authenticator::Refused held = Begin("acme", &attempt);
  EXPECT_TRUE(absl::IsResourceExhausted(held.status)) << held.status;
  EXPECT_NEAR(held.retry_after_us, kFirstPauseNs / 1000, 2);
  EXPECT_EQ(authenticator_.counters().held_back, 1u);
  EXPECT_TRUE(Try("other", KeyOfTenant("other")).ok());
  EXPECT_TRUE(Begin("acme", &attempt, 1 + kFirstPauseNs).status.ok());
}

TEST_F(AuthenticatorTest, ReloadCountsForWhatComesThen) {
  authenticator_.SetTenants(MakeTable({MakeTenant("other"), {.name = "acme", .key = KeyOfTenant("new secret")}}));
  EXPECT_FALSE(Try("acme", KeyOfTenant("acme")).ok());
  EXPECT_TRUE(Try("acme", KeyOfTenant("new secret")).ok());
}

}  // namespace
}  // namespace incipit
