// Limits of GetMap and MapReply. What holds for every message: messages_test.cc.
#include "transport/wire/map_messages.h"

#include <gtest/gtest.h>

#include <string>

#include "cache/base/byte_writer.h"
#include "tests/transport/wire/message_fields.h"

namespace incipit::wire {
namespace {

template <typename Message>
void ExpectRefused(const std::vector<uint8_t>& meta, const std::string& words) {
  const absl::Status status = Message::Decode(meta).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(words), std::string::npos) << status;
}

TEST(MapMessagesTest, AnAnswerIsHeldForAMinuteAtMost) {
  EXPECT_TRUE(GetMap::Decode(Encoded(GetMap{1, kMaxMapWaitMs})).ok());
  ExpectRefused<GetMap>(Encoded(GetMap{1, kMaxMapWaitMs + 1}), "GetMap.wait_ms: is 60001, allowed are 0 to 60000");
}

TEST(MapMessagesTest, AMapHasItsLimitAndIsAllThere) {
  const std::string map(kMaxMapBytes, ' ');
  EXPECT_EQ(MapReply::Decode(Encoded(MapReply{7, map}))->map.size(), map.size());
  ExpectRefused<MapReply>(Encoded(MapReply{7, map + " "}), "map_bytes");
  std::vector<uint8_t> lying;
  ByteWriter writer(&lying);
  writer.Write(uint64_t{7});
  writer.Write(uint32_t{1'000'000});  // and nothing follows
  ExpectRefused<MapReply>(lying, "map_bytes");
}

TEST(MapMessagesTest, ANodeWithoutAMapSendsNone) {
  EXPECT_TRUE(MapReply::Decode(Encoded(MapReply{0, ""})).ok());
  ExpectRefused<MapReply>(Encoded(MapReply{0, "{}"}), "MapReply.epoch: is 0, yet there is a map");
}

}  // namespace
}  // namespace incipit::wire
