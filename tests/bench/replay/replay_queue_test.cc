#include "bench/replay/replay_queue.h"

#include <gtest/gtest.h>

namespace incipit::bench {
namespace {

constexpr uint64_t kNowNs = 1'700'000'000'000'000'000;

Trace TraceAt(std::vector<uint64_t> times_ms) {
  Trace trace;
  for (const uint64_t time_ms : times_ms) trace.requests.push_back({.timestamp_ms = time_ms});
  return trace;
}

TEST(ReplayQueueTest, StampsKeepTheTracesPaceAndEndInThePresent) {
  const Trace trace = TraceAt({5'000, 5'000, 8'000, 7'000, 65'000});
  ReplayQueue queue(&trace, 0, ReplayStamps::kTrace, kNowNs);
  std::vector<uint64_t> stamps_ns;
  for (ReplayQueue::Taken taken = queue.Take(); taken.request != nullptr; taken = queue.Take()) {
    EXPECT_EQ(taken.request, &trace.requests[stamps_ns.size()]);
    stamps_ns.push_back(taken.stamp_ns);
  }
  ASSERT_EQ(stamps_ns.size(), 5u);
  EXPECT_EQ(queue.taken(), 5u);
  EXPECT_EQ(stamps_ns[1], stamps_ns[0] + 1);
  EXPECT_EQ(stamps_ns[2] - stamps_ns[0], 3'000'000'000u);
  EXPECT_EQ(stamps_ns[3], stamps_ns[2] + 1) << "the trace's order is the order of the stamps";
  EXPECT_EQ(stamps_ns[4] - stamps_ns[0], 60'000'000'000u);
  EXPECT_LE(stamps_ns[4], kNowNs);
  EXPECT_GE(stamps_ns[4] + 1'000'000, kNowNs);
  EXPECT_EQ(ReplayQueue::SpanMs(trace), 60'000u);
}

TEST(ReplayQueueTest, TimesBeyondAllReasonStayInOrder) {
  const Trace trace = TraceAt({0, UINT64_MAX, 1, UINT64_MAX});
  ReplayQueue queue(&trace, 0, ReplayStamps::kTrace, kNowNs);
  uint64_t last_ns = 0;
  for (ReplayQueue::Taken taken = queue.Take(); taken.request != nullptr; taken = queue.Take()) {
    EXPECT_GT(taken.stamp_ns, last_ns);
    EXPECT_LE(taken.stamp_ns, kNowNs);
    last_ns = taken.stamp_ns;
  }
  EXPECT_EQ(ReplayQueue::SpanMs(trace), UINT64_MAX);
}

TEST(ReplayQueueTest, WithoutThemTheClientChoosesAndStopEndsIt) {
  const Trace trace = TraceAt({0, 1});
  ReplayQueue queue(&trace, 0, ReplayStamps::kNow, kNowNs);
  EXPECT_EQ(queue.Take().stamp_ns, 0u);
  queue.Stop();
  EXPECT_EQ(queue.Take().request, nullptr);
}

}  // namespace
}  // namespace incipit::bench
