#include "eviction/sim/request_walk.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(RequestWalkTest, SaysOfEachBlockWhatANodeWouldKnow) {
  PrefixTrace trace(64);
  trace.Add(5, 150, 33, std::vector<uint64_t>{1, 2, 3});
  trace.Add(5, 64, 7, std::vector<uint64_t>{1});
  trace.Finish();
  RequestWalk walk(trace);
  walk.Begin(trace.requests()[0]);
  ASSERT_EQ(walk.chain().size(), 3u);
  const Access first = walk.AccessOf(2, 4);
  EXPECT_EQ(first.stamp_ns, 5'000'000u);
  EXPECT_EQ(first.depth_tokens, 128u);
  EXPECT_EQ(first.turn, 4u);
  EXPECT_EQ(first.bytes, 1u);
  EXPECT_NE(first.key, 0u);
  EXPECT_NE(first.key, walk.AccessOf(1, 4).key);
  EXPECT_EQ(first.output_tokens, 33u);
  const uint64_t shared_key = walk.AccessOf(0, 1).key;
  walk.Begin(trace.requests()[1]);
  EXPECT_EQ(walk.stamp_ns(), 5'000'001u) << "each request has its own";
  EXPECT_EQ(walk.AccessOf(0, 1).key, shared_key);
  EXPECT_EQ(walk.AccessOf(0, 1).output_tokens, 7u);
}

TEST(RequestWalkTest, TurnsFollowEachOther) {
  PrefixTrace trace(64);
  trace.Add(1, 128, 1, std::vector<uint64_t>{1, 2});
  trace.Finish();
  RequestWalk walk(trace);
  walk.Begin(trace.requests()[0]);
  EXPECT_EQ(walk.TurnAfter(PrefixTrace::kNone), 1);
  walk.NoteStored(walk.chain()[0], 1);
  walk.NoteStored(walk.chain()[1], 255);
  EXPECT_EQ(walk.TurnAfter(walk.chain()[0]), 2);
  EXPECT_EQ(walk.TurnAfter(walk.chain()[1]), 255) << "the last turn that is counted";
}

}  // namespace
}  // namespace incipit
