#include "client/src/core/load_plan.h"

#include <gtest/gtest.h>

#include "tests/client/src/core/plan_fixture.h"

namespace incipit {
namespace {

// Never touched: plans only count bytes.
uint8_t* const kMemory = reinterpret_cast<uint8_t*>(uint64_t{1} << 40);
const std::vector<uint8_t> kKey = {1, 2, 3};

LoadRequest RequestFor(const Layout& layout, GroupIndex group, uint16_t first, uint16_t count) {
  LoadRequest request;
  request.first_segment = first;
  request.segment_count = count;
  const uint32_t all = layout.groups[group].SegmentCount();
  const uint64_t segments = std::min<uint64_t>(count, all - first);
  request.items.push_back(
      {.group = group, .key = kKey, .buffer = {kMemory, segments * layout.groups[group].SegmentBytes()}});
  return request;
}

TEST(LoadPlan, PartsCoverTheRangeOnceWhateverItIs) {
  const Layout layout{.name = "l", .groups = {GroupOf("g", 7, 20 << 20)}};  // parts of 3, 3 and 1 segments
  ASSERT_EQ(layout.groups[0].PartCount(), 3u);
  PlanFixture f(layout, 3);
  for (uint16_t first = 0; first < 7; ++first) {
    for (uint16_t count = 1; count <= 8; ++count) {
      SCOPED_TRACE(testing::Message() << first << "+" << count);
      const LoadRequest request = RequestFor(layout, 0, first, count);
      ASSERT_TRUE(CheckLoad(layout, request).ok());
      std::vector<uint64_t> asked(7, 0);  // offset in the destination plus one, by segment of the block
      for (const auto& batches : PlanLoad(&f.context, f.shards.get(), request)) {
        for (const LoadBatch& batch : batches) {
          ASSERT_EQ(batch.keys.size(), batch.parts.size());
          for (size_t i = 0; i < batch.keys.size(); ++i) {
            const LoadPart& part = batch.parts[i];
            const uint32_t in_part = layout.groups[0].SegmentsOfPart(batch.keys[i].part);
            ASSERT_EQ(part.segment_count, std::min<uint32_t>(batch.segment_count, in_part - batch.first_segment));
            for (uint32_t s = 0; s < part.segment_count; ++s) {
              const uint32_t segment = batch.keys[i].part * 3u + batch.first_segment + s;
              EXPECT_EQ(asked[segment], 0u);
              asked[segment] = part.offset + s * part.segment_bytes + 1;
            }
          }
        }
      }
      for (uint32_t segment = 0; segment < 7; ++segment) {
        const bool wanted = segment >= first && segment < first + count;
        EXPECT_EQ(asked[segment], wanted ? (segment - first) * uint64_t{20 << 20} + 1 : 0) << segment;
      }
    }
  }
}

TEST(LoadPlan, BatchesAreBoundedInBytes) {
  const Layout layout{.name = "l", .groups = {GroupOf("g", 4, 256 * 1024)}};
  PlanFixture f(layout, 1);
  LoadRequest request = RequestFor(layout, 0, 0, wire::kAllSegments);
  request.items.resize(100, request.items[0]);
  const auto plan = PlanLoad(&f.context, f.shards.get(), request);
  ASSERT_EQ(plan.size(), 1u);
  uint32_t next = 0;
  for (const LoadBatch& batch : plan[0]) {
    EXPECT_LE(batch.bytes, 8u << 20);
    EXPECT_EQ(batch.segment_count, wire::kAllSegments);
    for (const LoadPart& part : batch.parts) EXPECT_EQ(part.item, next++) << "in the order of the items";
  }
  EXPECT_EQ(next, 100u);
  EXPECT_EQ(plan[0].size(), 13u);
}

TEST(LoadPlan, GroupsOfOnePartShareRequests) {
  const Layout layout{.name = "l", .groups = {GroupOf("a", 4, 64), GroupOf("b", 2, 128)}};
  PlanFixture f(layout, 1);
  LoadRequest request = RequestFor(layout, 0, 1, 2);
  request.items.push_back(RequestFor(layout, 1, 1, 2).items[0]);
  ASSERT_TRUE(CheckLoad(layout, request).ok());
  const auto plan = PlanLoad(&f.context, f.shards.get(), request);
  ASSERT_EQ(plan[0].size(), 1u);
  EXPECT_EQ(plan[0][0].parts[0].segment_count, 2);
  EXPECT_EQ(plan[0][0].parts[1].segment_count, 1) << "clipped to what the group has";
}

TEST(LoadPlan, WrongDestinationsAreNamed) {
  const Layout layout{.name = "l", .groups = {GroupOf("a", 4, 64)}};
  LoadRequest request = RequestFor(layout, 0, 0, 4);
  request.segment_count = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(CheckLoad(layout, request)));
  request.segment_count = 3;
  EXPECT_TRUE(absl::IsInvalidArgument(CheckLoad(layout, request)));
  request = RequestFor(layout, 0, 0, 4);
  const iovec pieces[] = {{kMemory, 100}, {kMemory + 100, 156}};
  request.items[0].pieces = pieces;
  request.items[0].buffer = {};
  EXPECT_TRUE(CheckLoad(layout, request).ok());
  request.items[0].pieces = std::span(pieces, 1);
  EXPECT_TRUE(absl::IsInvalidArgument(CheckLoad(layout, request)));
}

TEST(LoadPlan, SpanIsFromTheFirstToTheLastToken) {
  const Layout layout{.name = "l", .groups = {GroupOf("a", 4, 64)}};
  LoadRequest request;
  EXPECT_EQ(SpanTokens(layout, request), 0u);
  request.items = {{.depth_tokens = 64}, {.depth_tokens = 16}, {.depth_tokens = 32}};
  EXPECT_EQ(SpanTokens(layout, request), 64u);
}

}  // namespace
}  // namespace incipit
