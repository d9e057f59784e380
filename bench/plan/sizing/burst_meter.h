// Bytes per second of a stream of transfers: on average, and in bursts.
#pragma once

#include <cstdint>
#include <vector>

namespace incipit::bench {

struct Rates {
  double mean_bytes_per_s = 0;
  double p99_bytes_per_s = 0;   // of all seconds, those without a transfer included
  double peak_bytes_per_s = 0;  // of the busiest second
};

// Sums up what begins in each whole second. Memory: 8 bytes for each second with a transfer. One thread.
class BurstMeter {
 public:
  // REQUIRES: times do not go back.
  void Add(uint64_t time_ms, double bytes);
  // From the first transfer to the last; all 0 if they lie in one millisecond.
  Rates Measure() const;

 private:
  std::vector<double> seconds_;  // bytes of each second that has any
  uint64_t first_ms_ = 0, last_ms_ = 0, second_ = 0;
  double total_ = 0;
};

}  // namespace incipit::bench
