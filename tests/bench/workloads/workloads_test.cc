#include "bench/workloads/workloads.h"

#include <gtest/gtest.h>

#include "eviction/sim/prefix_trace.h"

namespace incipit::bench {
namespace {

struct Made {
  std::vector<uint64_t> numbers;  // everything, in order
  PrefixTrace trace{512};
};

Made Make(const std::string& name, uint64_t seed) {
  Made made;
  const absl::Status status = GenerateWorkload(name, seed, 512, [&](const TraceRequest& request) {
    made.numbers.insert(made.numbers.end(), {request.timestamp_ms, request.input_tokens, request.output_tokens});
    made.numbers.insert(made.numbers.end(), request.ids.begin(), request.ids.end());
    EXPECT_EQ(request.ids.size(), (request.input_tokens + 511) / 512);
    made.trace.Add(request.timestamp_ms, request.input_tokens, request.output_tokens, request.ids);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  made.trace.Finish();
  return made;
}

class EveryWorkloadTest : public testing::TestWithParam<std::string> {};

TEST_P(EveryWorkloadTest, SameSeedMeansSameRequestsAndAnotherSeedOthers) {
  const Made first = Make(GetParam(), 1);
  EXPECT_EQ(first.numbers, Make(GetParam(), 1).numbers);
  EXPECT_NE(first.numbers, Make(GetParam(), 2).numbers);
  EXPECT_GT(first.trace.requests().size(), 1000u);
  EXPECT_EQ(first.trace.out_of_order(), 0u);
}

INSTANTIATE_TEST_SUITE_P(ByName, EveryWorkloadTest, testing::ValuesIn(WorkloadNames()), [](const auto& named) {
  std::string name;
  for (const char c : named.param) {
    if (c != '-') name += c;
  }
  return name;
});

TEST(WorkloadsTest, MostTokensOfAgentsRepeat) {
  const Made made = Make("agentic", 1);
  const double repeated =
      1 - static_cast<double>(made.trace.unique_blocks()) / static_cast<double>(made.trace.block_references());
  EXPECT_NEAR(repeated, 0.97, 0.01);
}

TEST(WorkloadsTest, VisitorsErrorsEndTheGeneration) {
  int seen = 0;
  const absl::Status status = GenerateWorkload("templates", 1, 512, [&](const TraceRequest&) {
    return ++seen == 5 ? absl::CancelledError("enough") : absl::OkStatus();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(seen, 5);
}

TEST(WorkloadsTest, UnknownNamesAreRefusedWithTheKnownOnes) {
  const absl::Status status = GenerateWorkload("mining", 1, 512, [](const TraceRequest&) { return absl::OkStatus(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("flash-crowd"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace incipit::bench
