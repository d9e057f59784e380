#include "cache/shard/session_recording.h"

#include "tests/cache/shard/session_fixture.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::WireClient;

NamespaceTable::Info InfoOf(std::vector<HitRule> rules) {
  NamespaceTable::Info info;
  info.framed = {1, 2, 3};
  info.layout.emplace();
  for (const HitRule rule : rules) info.layout->groups.push_back({.rule = rule, .block_tokens = 64});
  return info;
}

std::string Lines(const RequestRecorder& recorder) {
  return recorder.PageFrom(0, RequestRecorder::kSettleNs + 1).lines;
}

TEST(SessionRecordingTest, TheGroupThatNeedsAllItsBlocksStandsForThePrompt) {
  RequestRecorder recorder(1 << 20);
  SessionRecording recording(&recorder, InfoOf({HitRule::kWindow, HitRule::kAll, HitRule::kAll}));
  recording.Add({0, 0, 0, {}}, {.low = 5});
  recording.Add({1, 0, 0, {}}, {.low = 6});
  recording.Add({1, 1, 0, {}}, {.low = 7});
  recording.Add({2, 0, 0, {}}, {.low = 8});
  recording.Note(1'000'000, 0);
  EXPECT_EQ(Lines(recorder), "{\"timestamp\": 1, \"input_length\": 64, \"output_length\": 0, \"hash_ids\": [6]}\n");
}

TEST(SessionRecordingTest, WithoutARecorderOrAGroupNothingHappens) {
  RequestRecorder recorder(1 << 20);
  SessionRecording(nullptr, InfoOf({HitRule::kAll})).Note(1, 0);
  SessionRecording none(&recorder, InfoOf({HitRule::kWindow}));
  none.Add({0, 0, 0, {}}, {.low = 5});
  none.Note(1, 0);
  EXPECT_EQ(Lines(recorder), "");
}

class MatchRecordingTest : public testing::SessionFixture {};

TEST_F(MatchRecordingTest, AMatchIsRecordedAndCountsForTheCurveOfReuse) {
  options_.recorder = std::make_shared<RequestRecorder>(1 << 20);
  Start();
  const auto client = Connect();
  const std::vector<std::vector<uint8_t>> keys = {KeyOf(1), KeyOf(2), KeyOf(3)};
  for (int i = 0; i < 4; ++i) {
    wire::Match match;
    for (uint32_t depth = 0; depth < 3; ++depth) {
      match.keys.push_back({0, 0, depth * layout_.groups[0].block_tokens, keys[depth]});
    }
    ASSERT_TRUE(client->Call(wire::FrameType::kMatch, match).ok());
  }
  const RequestRecorder::Page page = options_.recorder->PageFrom(0, loop_.NowNs() + RequestRecorder::kSettleNs + 1);
  EXPECT_GE(page.next, 1u);
  EXPECT_EQ(page.missed + page.partial, 0u);
  const std::vector<ReuseReport> reuse = node_.shard(0)->Report().reuse;
  ASSERT_EQ(reuse.size(), 1u);
  EXPECT_GE(reuse[0].distances.uses, 3);
}

}  // namespace
}  // namespace incipit
