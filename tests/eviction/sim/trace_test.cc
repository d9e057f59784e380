#include "eviction/sim/trace.h"

#include <string>

#include "gtest/gtest.h"

namespace incipit {
namespace {

TEST(TraceTest, ReadsTheFieldsAndSkipsEmptyLines) {
  const auto trace = ParseTrace(
      "{\"timestamp\": 27, \"input_length\": 1000, \"output_length\": 5, \"hash_ids\": [0, 12, 18446744073709551615]}\n"
      "\n"
      "{\"hash_ids\":[],\"input_length\":1,\"timestamp\":28}");
  ASSERT_TRUE(trace.ok()) << trace.status();
  ASSERT_EQ(trace->size(), 2u);
  EXPECT_EQ((*trace)[0].timestamp_ms, 27u);
  EXPECT_EQ((*trace)[0].input_tokens, 1000u);
  EXPECT_EQ((*trace)[0].block_hashes, (std::vector<uint64_t>{0, 12, UINT64_MAX}));
  EXPECT_EQ((*trace)[1].timestamp_ms, 28u);
  EXPECT_TRUE((*trace)[1].block_hashes.empty());
}

TEST(TraceTest, DamagedLineIsNamedByItsNumber) {
  const std::string good = "{\"timestamp\": 1, \"input_length\": 2, \"hash_ids\": [3]}\n";
  for (const char* bad : {"{", "{\"timestamp\": 1, \"input_length\": 2}", "{\"timestamp\": 1, \"hash_ids\": [3]}",
                          "{\"timestamp\": x, \"input_length\": 2, \"hash_ids\": [3]}",
                          "{\"timestamp\": 1, \"input_length\": 2, \"hash_ids\": [3",
                          "{\"timestamp\": 1, \"input_length\": 2, \"hash_ids\": [3 4]}",
                          "{\"timestamp\": 1, \"input_length\": 2, \"hash_ids\": [-3]}",
                          "{\"timestamp\": 18446744073709551616, \"input_length\": 2, \"hash_ids\": [3]}"}) {
    const auto trace = ParseTrace(good + bad + "\n" + good);
    ASSERT_EQ(trace.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_TRUE(trace.status().message().find("line 2") != absl::string_view::npos) << trace.status();
  }
}

TEST(TraceTest, ConversationsRepeatTheirPastAndTheSeedDecides) {
  const Trace trace = MakeConversationTrace({.seed = 7, .sessions = 50}, 64);
  const Trace again = MakeConversationTrace({.seed = 7, .sessions = 50}, 64);
  ASSERT_GE(trace.size(), 50u);
  ASSERT_EQ(again.size(), trace.size());
  size_t continued = 0;
  for (size_t i = 0; i < trace.size(); ++i) {
    EXPECT_EQ(again[i].block_hashes, trace[i].block_hashes);
    EXPECT_EQ(trace[i].block_hashes[0], 0u);
    EXPECT_EQ(trace[i].input_tokens, 64 * trace[i].block_hashes.size());
    for (size_t j = 0; j < i; ++j) {
      if (trace[j].block_hashes[1] != trace[i].block_hashes[1]) continue;
      ASSERT_LT(trace[j].block_hashes.size(), trace[i].block_hashes.size());
      EXPECT_TRUE(
          std::equal(trace[j].block_hashes.begin(), trace[j].block_hashes.end(), trace[i].block_hashes.begin()));
      ++continued;
    }
  }
  EXPECT_GT(continued, 0u);
  EXPECT_NE(MakeConversationTrace({.seed = 8, .sessions = 50}, 64)[0].block_hashes, trace[0].block_hashes);
}

}  // namespace
}  // namespace incipit
