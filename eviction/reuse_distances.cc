#include "eviction/reuse_distances.h"

#include <algorithm>
#include <cmath>

namespace incipit {

void ReuseDistances::Add(const ReuseDistances& other) {
  for (int step = 0; step < kSteps; ++step) reused[step] += other.reused[step];
  uses += other.uses;
}

double ReuseDistances::HitRatioAt(double blocks) const {
  if (uses <= 0 || blocks < 1) return 0;
  double hits = 0;
  for (int step = 0; step < kSteps; ++step) {
    const double lower = step == 0 ? 0 : std::exp2((step - 1) / 2.0);
    const double upper = std::exp2(step / 2.0);
    if (lower >= blocks) break;
    hits += reused[step] * std::min(1.0, (blocks - lower) / (upper - lower));
  }
  return std::min(1.0, hits / uses);
}

}  // namespace incipit
