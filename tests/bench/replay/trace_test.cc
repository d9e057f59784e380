#include "bench/replay/trace.h"

#include <gtest/gtest.h>

namespace incipit::bench {
namespace {

constexpr const char* kTwoRequests =
    "{\"timestamp\": 0, \"input_length\": 1030, \"output_length\": 5, \"hash_ids\": [0, 1, 2]}\n"
    "\n"
    "{\"timestamp\": 3000, \"input_length\": 1024, \"output_length\": 7, \"hash_ids\": [0, 9]}\n";

bool Says(const absl::Status& status, const char* text) {
  return status.message().find(text) != absl::string_view::npos;
}

TEST(TraceTest, CountsRequestsBlocksAndTokens) {
  const absl::StatusOr<Trace> trace = ParseTrace(kTwoRequests, {.block_tokens = 512});
  ASSERT_TRUE(trace.ok()) << trace.status();
  ASSERT_EQ(trace->requests.size(), 2u);
  EXPECT_EQ(trace->requests[1].timestamp_ms, 3000u);
  EXPECT_EQ(trace->requests[1].ids, (std::vector<uint64_t>{0, 9}));
  EXPECT_EQ(trace->unique_blocks, 4u);
  EXPECT_EQ(trace->block_references, 5u);
  EXPECT_EQ(trace->input_tokens, 2054u);
  EXPECT_EQ(trace->longest_chain, 3u);
}

TEST(TraceTest, StopsAfterTheRequestsAskedFor) {
  const absl::StatusOr<Trace> trace = ParseTrace(kTwoRequests, {.block_tokens = 512, .max_requests = 1});
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->requests.size(), 1u);
}

TEST(TraceTest, MoreIdsThanBlocksIsRefusedNamingLineAndFlag) {
  const absl::StatusOr<Trace> trace = ParseTrace(kTwoRequests, {.block_tokens = 1024});
  ASSERT_FALSE(trace.ok());
  EXPECT_TRUE(Says(trace.status(), "line 1")) << trace.status();
  EXPECT_TRUE(Says(trace.status(), "--block-tokens")) << trace.status();
}

TEST(TraceTest, MalformedLinesAreRefused) {
  for (const char* line :
       {"{\"input_length\": 5", "[1]", "{\"input_length\": 5}", "{\"hash_ids\": []}",
        "{\"input_length\": -5, \"hash_ids\": []}", "{\"input_length\": 5, \"hash_ids\": [\"a\"]}",
        "{\"input_length\": 5, \"hash_ids\": [1.5]}", "{\"input_length\": \"5\", \"hash_ids\": []}"}) {
    EXPECT_FALSE(ParseTraceLine(line, 512).ok()) << line;
  }
}

TEST(TraceTest, NegativeIdsOfSignedHashesAreKeptApart) {
  const absl::StatusOr<TraceRequest> request =
      ParseTraceLine("{\"input_length\": 1024, \"hash_ids\": [-1, 18446744073709551614]}", 512);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_NE(request->ids[0], request->ids[1]);
}

TEST(TraceTest, RekeyedIdsDependOnTheirParents) {
  const char* text =
      "{\"input_length\": 1024, \"hash_ids\": [5, 7]}\n"
      "{\"input_length\": 1024, \"hash_ids\": [6, 7]}\n"
      "{\"input_length\": 1024, \"hash_ids\": [5, 7]}\n";
  const absl::StatusOr<Trace> plain = ParseTrace(text, {.block_tokens = 512});
  const absl::StatusOr<Trace> chained = ParseTrace(text, {.block_tokens = 512, .rekey = true});
  ASSERT_TRUE(plain.ok() && chained.ok());
  EXPECT_EQ(plain->unique_blocks, 3u);
  EXPECT_EQ(chained->unique_blocks, 4u);
  EXPECT_EQ(chained->requests[0].ids, chained->requests[2].ids);
}

TEST(TraceTest, MissingFileIsNotFound) {
  EXPECT_EQ(ReadTrace("/nonexistent/trace.jsonl", {}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace incipit::bench
