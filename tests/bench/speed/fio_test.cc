#include "bench/speed/fio.h"

#include <gtest/gtest.h>

namespace incipit::bench {
namespace {

TEST(FioTest, ReadsTheRateBehindWarnings) {
  const absl::StatusOr<double> rate = ParseFioJson(
      "fio: note: both iodepth >= 1 and synchronous I/O engine\n"
      "{\"fio version\": \"fio-3.33\", \"jobs\": [{\"error\": 0, \"read\": {\"bw_bytes\": 1500000000}}]}\n");
  ASSERT_TRUE(rate.ok()) << rate.status();
  EXPECT_DOUBLE_EQ(*rate, 1.5);
}

TEST(FioTest, ReportedErrorOfTheJobIsAnError) {
  EXPECT_FALSE(ParseFioJson("{\"jobs\": [{\"error\": 5, \"read\": {\"bw_bytes\": 1}}]}").ok());
}

TEST(FioTest, OutputWithoutARateIsAnError) {
  for (const char* text : {"", "fio: failed", "{}", "{\"jobs\": []}", "{\"jobs\": [{\"read\": {}}]}"}) {
    EXPECT_FALSE(ParseFioJson(text).ok()) << text;
  }
}

}  // namespace
}  // namespace incipit::bench
