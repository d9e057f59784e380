#include "cache/shard/request_turns.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(RequestTurns, FirstWordCounts) {
  RequestTurns turns;
  EXPECT_EQ(turns.Of(7), 0);
  turns.Note(7, 3);
  turns.Note(7, 5);
  EXPECT_EQ(turns.Of(7), 3);
  EXPECT_EQ(turns.Of(8), 0);
}

TEST(RequestTurns, ForgetsOldRequestsAndNeverMixesThem) {
  RequestTurns turns;
  constexpr uint64_t kMany = 100 * RequestTurns::kRequests;
  for (uint64_t stamp = 1; stamp <= kMany; ++stamp) turns.Note(stamp, static_cast<uint8_t>(1 + stamp % 200));
  uint64_t known = 0;
  for (uint64_t stamp = 1; stamp <= kMany; ++stamp) {
    if (turns.Of(stamp) == 0) continue;
    ++known;
    EXPECT_EQ(turns.Of(stamp), 1 + stamp % 200);
  }
  EXPECT_GT(known, 0u);
  EXPECT_LE(known, RequestTurns::kRequests);
}

}  // namespace
}  // namespace incipit
