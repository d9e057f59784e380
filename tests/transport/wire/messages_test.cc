// What holds for every message: round trips, truncation, bytes left over, damage.
#include "transport/wire/messages.h"

#include <gtest/gtest.h>

#include "tests/transport/wire/message_fields.h"
#include "tests/transport/wire/random_messages.h"

namespace incipit::wire {
namespace {

template <typename Message>
class EveryMessage : public testing::Test {};

using Messages = testing::Types<Hello, HelloReply, OpenNamespace, OpenNamespaceReply, Match, MatchReply, Load,
                                LoadReply, Offer, Store, Touch, Remove, StatusReply, Release, StatsReply, Error, Claim,
                                ClaimReply, Wait, WaitReply, GetMap, MapReply, Peer, PeerReply, Drain, DrainReply>;
TYPED_TEST_SUITE(EveryMessage, Messages);

TYPED_TEST(EveryMessage, RandomOnesSurviveARoundTripInTheSameBytes) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomMessages random(seed);
    const auto message = random.Make<TypeParam>();
    const std::vector<uint8_t> bytes = Encoded(message);
    const auto decoded = TypeParam::Decode(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_TRUE(Same(message, *decoded));
    EXPECT_EQ(Encoded(*decoded), bytes);
  }
}

TYPED_TEST(EveryMessage, EncodeAppends) {
  RandomMessages random(1);
  const auto message = random.Make<TypeParam>();
  std::vector<uint8_t> out = {1, 2, 3};
  message.Encode(&out);
  EXPECT_EQ(out.size(), 3 + Encoded(message).size());
  EXPECT_TRUE(TypeParam::Decode(ByteView(out).subspan(3)).ok());
}

TYPED_TEST(EveryMessage, TruncationAtEveryLengthIsRefused) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomMessages random(seed);
    const std::vector<uint8_t> bytes = Encoded(random.Make<TypeParam>());
    for (size_t length = 0; length < bytes.size(); ++length) {
      // A copy of exact size lets the address sanitizer see a read past the end.
      const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + length);
      const absl::Status status = TypeParam::Decode(cut).status();
      ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << "length " << length << ": " << status;
    }
  }
}

TYPED_TEST(EveryMessage, BytesLeftOverAreRefused) {
  RandomMessages random(2);
  std::vector<uint8_t> bytes = Encoded(random.Make<TypeParam>());
  bytes.push_back(0);
  const absl::Status status = TypeParam::Decode(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("1 bytes left over"), std::string::npos) << status;
}

TYPED_TEST(EveryMessage, DamagedBytesAreRefusedOrDecodeToWhatTheySay) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomMessages random(seed);
    std::vector<uint8_t> bytes = Encoded(random.Make<TypeParam>());
    for (size_t flips = 1 + random.Below(4); flips > 0; --flips) {
      bytes[random.Below(bytes.size())] ^= static_cast<uint8_t>(1u << random.Below(8));
    }
    const auto decoded = TypeParam::Decode(bytes);
    if (decoded.ok()) {
      EXPECT_EQ(Encoded(*decoded), bytes);
    } else {
      EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_FALSE(decoded.status().message().empty());
    }
  }
}

TYPED_TEST(EveryMessage, NoiseIsRefusedOrDecodesToWhatItSays) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    RandomMessages random(seed);
    const std::string noise = random.Text(0, 200);
    const auto decoded = TypeParam::Decode(AsBytes(noise));
    if (!decoded.ok()) continue;
    const std::vector<uint8_t> again = Encoded(*decoded);
    EXPECT_EQ(AsText(again), noise) << "seed " << seed;
  }
}

}  // namespace
}  // namespace incipit::wire
