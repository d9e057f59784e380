#include "transport/wire/shared_messages.h"

#include <gtest/gtest.h>

namespace incipit::wire {
namespace {

template <typename Message>
std::vector<uint8_t> Encoded(const Message& message) {
  std::vector<uint8_t> bytes;
  message.Encode(&bytes);
  return bytes;
}

// No shorter or longer meta is taken for a whole one.
template <typename Message>
void ExpectOnlyWholeMeta(const Message& message) {
  std::vector<uint8_t> bytes = Encoded(message);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(absl::IsInvalidArgument(Message::Decode(ByteView(bytes).first(size)).status())) << size;
  }
  bytes.push_back(0);
  EXPECT_TRUE(absl::IsInvalidArgument(Message::Decode(bytes).status()));
}

TEST(SharedMessagesTest, RegisterAndForgetComeBackAsTheyWere) {
  const auto region = RegisterRegion::Decode(Encoded(RegisterRegion{7, RegionKind::kControl, 1ull << 40}));
  ASSERT_TRUE(region.ok()) << region.status();
  EXPECT_EQ(region->region_id, 7u);
  EXPECT_EQ(region->kind, RegionKind::kControl);
  EXPECT_EQ(region->bytes, 1ull << 40);
  EXPECT_EQ(ForgetRegion::Decode(Encoded(ForgetRegion{9}))->region_id, 9u);
  ExpectOnlyWholeMeta(RegisterRegion{7, RegionKind::kMemory, 4096});
  ExpectOnlyWholeMeta(ForgetRegion{9});
}

TEST(SharedMessagesTest, RegionsOfNoOrTooManyBytesOrUnknownKindAreRefused) {
  EXPECT_FALSE(RegisterRegion::Decode(Encoded(RegisterRegion{1, RegionKind::kMemory, 0})).ok());
  EXPECT_FALSE(RegisterRegion::Decode(Encoded(RegisterRegion{1, RegionKind::kMemory, (1ull << 40) + 1})).ok());
  EXPECT_FALSE(RegisterRegion::Decode(Encoded(RegisterRegion{1, static_cast<RegionKind>(2), 4096})).ok());
}

TEST(SharedMessagesTest, PlacesAreTakenFromTheFrontAndTheRestIsLeft) {
  const SharedPlaces places{.slot = 5, .pieces = {{1, 10, 1ull << 63}, {2, UINT32_MAX, 0}}};
  std::vector<uint8_t> bytes = Encoded(places);
  EXPECT_EQ(bytes.size(), 8 + 2 * kRegionRefBytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    ByteView ignored;
    EXPECT_FALSE(SharedPlaces::Decode(ByteView(bytes).first(size), &ignored).ok()) << size;
  }
  bytes.insert(bytes.end(), {'r', 'e', 's', 't'});
  ByteView rest;
  const auto decoded = SharedPlaces::Decode(bytes, &rest);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->slot, 5u);
  EXPECT_EQ(decoded->pieces, places.pieces);
  EXPECT_EQ(decoded->Bytes(), 10ull + UINT32_MAX);
  EXPECT_EQ(AsText(rest), "rest");
}

TEST(SharedMessagesTest, CountsBeyondTheLimitOrTheBytesAndEmptyPiecesAreRefused) {
  ByteView rest;
  std::vector<uint8_t> bytes = Encoded(SharedPlaces{.pieces = {{1, 0, 0}}});
  EXPECT_FALSE(SharedPlaces::Decode(bytes, &rest).ok());
  bytes = Encoded(SharedPlaces{});
  const uint32_t lie = UINT32_MAX;
  std::memcpy(bytes.data() + 4, &lie, sizeof(lie));
  EXPECT_FALSE(SharedPlaces::Decode(bytes, &rest).ok());
  SharedPlaces many;
  many.pieces.assign(kMaxRegionRefs + 1, {1, 1, 0});
  EXPECT_FALSE(SharedPlaces::Decode(Encoded(many), &rest).ok());
  many.pieces.pop_back();
  EXPECT_TRUE(SharedPlaces::Decode(Encoded(many), &rest).ok());
}

}  // namespace
}  // namespace incipit::wire
