#include "bench/replay/trace_line.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace incipit::bench {
namespace {

absl::StatusOr<TraceRequest> Parse(std::string_view line) { return ParseTraceLine(line, 512); }

TEST(TraceLineTest, BothParsersReadTheUsualFormAlike) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    std::string ids;
    for (uint64_t count = random() % 20; count > 0; --count) {
      ids += fmt::format("{}{}", ids.empty() ? "" : random() % 2 == 0 ? "," : " , ", random() >> (1 + random() % 63));
    }
    const std::string line =
        fmt::format("{}{{\"timestamp\": {}, \"input_length\":{}, \"output_length\" : {}, \"hash_ids\": [{}]}}{}",
                    random() % 2 == 0 ? " " : "", random() % 100'000, random() >> 1, random() % 3000, ids,
                    random() % 2 == 0 ? "\r" : "");
    TraceRequest quick, thorough;
    ASSERT_TRUE(ParseUsualTraceLine(line, &quick)) << "seed " << seed << ": " << line;
    ASSERT_TRUE(ParseAnyTraceLine(line, &thorough).ok()) << "seed " << seed << ": " << line;
    EXPECT_EQ(quick.timestamp_ms, thorough.timestamp_ms) << line;
    EXPECT_EQ(quick.input_tokens, thorough.input_tokens) << line;
    EXPECT_EQ(quick.output_tokens, thorough.output_tokens) << line;
    EXPECT_EQ(quick.ids, thorough.ids) << line;
  }
}

// Whatever the quick parser takes, the thorough one must take too, and read alike.
TEST(TraceLineTest, DamagedLinesAreReadAlikeOrByTheThoroughParserOnly) {
  const std::string line =
      R"({"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 9]})";
  const std::string alphabet = "{}[]\",:0123456789.-eE \\tn";
  int taken = 0;
  for (uint64_t seed = 1; seed <= 20'000; ++seed) {
    std::mt19937_64 random(seed);
    std::string damaged = line;
    for (uint64_t count = 1 + random() % 3; count > 0; --count) {
      const size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0:
          damaged[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          damaged.erase(at, 1 + random() % 3);
          break;
        default:
          damaged.insert(at, 1, alphabet[random() % alphabet.size()]);
      }
      if (damaged.empty()) break;
    }
    TraceRequest quick, thorough;
    if (!ParseUsualTraceLine(damaged, &quick)) continue;
    ++taken;
    ASSERT_TRUE(ParseAnyTraceLine(damaged, &thorough).ok()) << "seed " << seed << ": " << damaged;
    ASSERT_EQ(quick.ids, thorough.ids) << damaged;
    ASSERT_EQ(quick.input_tokens, thorough.input_tokens) << damaged;
  }
  EXPECT_GT(taken, 1000);
}

TEST(TraceLineTest, OtherFieldsNestedOnesIncludedAreIgnored) {
  const auto request = Parse(
      R"({"chat": {"id": [1, {"hash_ids": [7]}], "text": "a\"b"}, "hash_ids": [5], "type": null, "input_length": 12.0,
      "flags": [true, [2]]})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->ids, std::vector<uint64_t>{5});
  EXPECT_EQ(request->input_tokens, 12u);
  EXPECT_EQ(request->timestamp_ms, 0u);
}

TEST(TraceLineTest, IdsOverSixtyFourBitsAreKeptApart) {
  const auto request = Parse(
      R"({"input_length": 2048, "hash_ids": [340282366920938463463374607431768211455,
      340282366920938463463374607431768211454, 18446744073709551615, -1]})");
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->ids.size(), 4u);
  EXPECT_NE(request->ids[0], request->ids[1]);
  EXPECT_EQ(request->ids[2], UINT64_MAX);
  const auto again = Parse(R"({"input_length": 512, "hash_ids": [340282366920938463463374607431768211455]})");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->ids[0], request->ids[0]);
}

TEST(TraceLineTest, EmptyRequestsAreRequests) {
  const auto request = Parse(R"({"timestamp": 5, "input_length": 0, "output_length": 0, "hash_ids": []})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(request->ids.empty());
}

TEST(TraceLineTest, ErrorsSayWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "not a JSON object"},
      {"nonsense", "not a JSON object"},
      {"[1]", "not a JSON object"},
      {"3", "not a JSON object"},
      {R"({"input_length": 5)", "not a JSON object"},
      {R"({"input_length": 5})", "no array \"hash_ids\""},
      {R"({"hash_ids": []})", "no field \"input_length\""},
      {R"({"input_length": -5, "hash_ids": []})", "\"input_length\" is -5"},
      {R"({"input_length": "5", "hash_ids": []})", "\"input_length\" is a string"},
      {R"({"input_length": 1e30, "hash_ids": []})", "\"input_length\" is 1e30"},
      {R"({"input_length": 5, "timestamp": null, "hash_ids": []})", "\"timestamp\" is null"},
      {R"({"input_length": 5, "hash_ids": 7})", "hash_ids"},
      {R"({"input_length": 5, "hash_ids": {"a": 1}})", "\"hash_ids\" is an object"},
      {R"({"input_length": 5, "hash_ids": ["a"]})", "hash_ids holds a string"},
      {R"({"input_length": 5, "hash_ids": [1.5]})", "hash_ids holds 1.5"},
      {R"({"input_length": 5, "hash_ids": [[1]]})", "hash_ids holds an array"},
      {R"({"input_length": 512, "hash_ids": [1, 2]})", "--block-tokens"},
  };
  for (const auto& [line, wanted] : cases) {
    const absl::Status status = Parse(line).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_NE(status.message().find(wanted), absl::string_view::npos) << line << ": " << status;
  }
}

TEST(TraceLineTest, DeepNestingIsRefusedWithoutHarm) {
  const std::string deep = R"({"input_length": 5, "x": )" + std::string(100'000, '[');
  EXPECT_FALSE(Parse(deep).ok());
}

}  // namespace
}  // namespace incipit::bench
