#include "cache/shard/request_recorder.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

constexpr int64_t kSettled = RequestRecorder::kSettleNs + 1;
constexpr uint64_t kStamp = 5'000'000'000;  // 5,000 ms

void Note(RequestRecorder* recorder, uint64_t stamp_ns, std::vector<RecordedBlock> blocks, int64_t now_ns = 0,
          uint64_t name_space = 1) {
  recorder->Note({stamp_ns, name_space, 64, blocks}, now_ns);
}

TEST(RequestRecorderTest, PartsOfShardsBecomeOneLine) {
  RequestRecorder recorder(1 << 20);
  Note(&recorder, kStamp, {{11, 0}, {13, 128}});
  Note(&recorder, kStamp, {{12, 64}}, 5'000);
  Note(&recorder, kStamp, {{12, 64}}, 6'000);  // asked again
  EXPECT_EQ(recorder.PageFrom(0, RequestRecorder::kSettleNs).lines, "") << "a part may still come";
  const RequestRecorder::Page page = recorder.PageFrom(0, kSettled);
  EXPECT_EQ(page.lines,
            "{\"timestamp\": 5000, \"input_length\": 192, \"output_length\": 0, \"hash_ids\": [11, 12, 13]}\n");
  EXPECT_EQ(page.next, 1u);
  EXPECT_EQ(page.missed + page.partial, 0u);
  EXPECT_EQ(recorder.PageFrom(page.next, kSettled).lines, "");
  EXPECT_EQ(recorder.PageFrom(0, kSettled).lines, page.lines) << "the same to all who ask";
}

TEST(RequestRecorderTest, RequestsAndNamespacesAreKeptApart) {
  RequestRecorder recorder(1 << 20);
  Note(&recorder, kStamp, {{1, 0}});
  Note(&recorder, kStamp, {{2, 0}}, 0, 2);
  Note(&recorder, kStamp + 1'000'000, {{1, 0}});
  EXPECT_EQ(recorder.PageFrom(0, kSettled).next, 3u);
}

TEST(RequestRecorderTest, WhatLiesBehindAGapIsLeftOutAndCounted) {
  RequestRecorder recorder(1 << 20);
  Note(&recorder, kStamp, {{1, 0}, {2, 64}, {4, 192}});
  Note(&recorder, kStamp + 1, {{9, 64}});
  const RequestRecorder::Page page = recorder.PageFrom(0, kSettled);
  EXPECT_NE(page.lines.find("[1, 2]"), std::string::npos) << page.lines;
  EXPECT_EQ(page.lines.find('9'), std::string::npos) << page.lines;
  EXPECT_EQ(page.partial, 2u);
  EXPECT_EQ(page.next, 2u);
}

TEST(RequestRecorderTest, ALatePartDoesNotChangeWhatWasHandedOut) {
  RequestRecorder recorder(1 << 20);
  Note(&recorder, kStamp, {{1, 0}});
  const std::string before = recorder.PageFrom(0, kSettled).lines;
  Note(&recorder, kStamp, {{2, 64}}, kSettled);
  EXPECT_EQ(recorder.PageFrom(0, kSettled).lines, before);
}

TEST(RequestRecorderTest, OldRequestsGiveWayAndAreMissed) {
  RequestRecorder recorder(10'000);
  for (uint64_t i = 0; i < 1000; ++i) {
    Note(&recorder, kStamp + i, {{i, 0}, {i + 1, 64}}, static_cast<int64_t>(i));
    EXPECT_LE(recorder.KeptBytes(), 10'000u);
  }
  const RequestRecorder::Page page = recorder.PageFrom(0, 1000 + kSettled);
  EXPECT_EQ(page.next, 1000u);
  EXPECT_GT(page.missed, 500u);
  EXPECT_EQ(static_cast<uint64_t>(std::count(page.lines.begin(), page.lines.end(), '\n')), 1000 - page.missed);
  // One that is larger than all the space is not kept, and harms nobody.
  Note(&recorder, 1, std::vector<RecordedBlock>(5'000));
  EXPECT_LE(recorder.KeptBytes(), 10'000u);
  Note(&recorder, 2, {{1, 0}});
  EXPECT_EQ(recorder.PageFrom(1001, kSettled).next, 1002u);
}

TEST(RequestRecorderTest, NumbersBeyondTheEndAreAnsweredWithTheEnd) {
  RequestRecorder recorder(1 << 20);
  Note(&recorder, kStamp, {{1, 0}});
  EXPECT_EQ(recorder.PageFrom(UINT64_MAX, kSettled).next, 1u);
}

}  // namespace
}  // namespace incipit
