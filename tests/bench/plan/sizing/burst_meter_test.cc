#include "bench/plan/sizing/burst_meter.h"

#include <gtest/gtest.h>

namespace incipit::bench {
namespace {

TEST(BurstMeterTest, SumsUpWholeSeconds) {
  BurstMeter meter;
  meter.Add(500, 10);
  meter.Add(1499, 20);  // within the first second after the first transfer
  meter.Add(1500, 5);
  meter.Add(2500, 1);
  const Rates rates = meter.Measure();
  EXPECT_DOUBLE_EQ(rates.mean_bytes_per_s, 36 / 2.0);
  EXPECT_EQ(rates.peak_bytes_per_s, 30);
  EXPECT_EQ(rates.p99_bytes_per_s, 30);
}

TEST(BurstMeterTest, SecondsWithoutATransferCount) {
  BurstMeter meter;
  for (uint64_t second = 0; second < 1000; ++second) {
    // 20 of 1000 seconds are busy.
    if (second % 50 == 0) meter.Add(second * 1000, static_cast<double>(second / 50 + 1));
  }
  meter.Add(999'000, 0);
  EXPECT_EQ(meter.Measure().p99_bytes_per_s, 10);  // 979 are empty, then come 0 and 1 to 20; the 990th is 10
  BurstMeter rare;
  rare.Add(0, 100);
  rare.Add(1'000'000'000'000, 100);
  EXPECT_EQ(rare.Measure().p99_bytes_per_s, 0);
  EXPECT_EQ(rare.Measure().peak_bytes_per_s, 100);
}

TEST(BurstMeterTest, NoTimeSpanMeansNoRates) {
  BurstMeter meter;
  EXPECT_EQ(meter.Measure().mean_bytes_per_s, 0);
  meter.Add(3, 8);
  meter.Add(3, 8);
  EXPECT_EQ(meter.Measure().mean_bytes_per_s, 0);
  EXPECT_EQ(meter.Measure().peak_bytes_per_s, 0);
}

}  // namespace
}  // namespace incipit::bench
