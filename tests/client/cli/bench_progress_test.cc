#include "client/cli/bench_progress.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(BenchProgressTest, DisabledSinkIsEmptyAndMayBeShownTo) {
  const bench::ProgressSink sink = MakeProgressSink(/*enabled=*/false);
  EXPECT_FALSE(sink);
  bench::Show(sink, "nothing", 1, 2);
}

TEST(BenchProgressTest, SilentWhereStandardErrorIsNoTerminal) {
  testing::internal::CaptureStderr();
  {
    const bench::ProgressSink sink = MakeProgressSink(/*enabled=*/true);
    bench::Show(sink, "one", 1, 2);
    bench::Show(sink, "two", 2, 2);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace incipit
