// How far apart uses of blocks are, and what LRU of any size would hit of them.
#pragma once

#include <array>

namespace incipit {

// Uses by *distance*: the number of distinct blocks in use since the block's last use, itself included. LRU hits those
// whose distance is at most its size. Plain data; those of several caches that share a stream of requests add up.
struct ReuseDistances {
  static constexpr int kSteps = 80;     // half octaves: step i holds distances up to 2^(i/2)
  std::array<double, kSteps> reused{};  // weight by step
  double uses = 0;                      // of all uses, the first of each block included

  void Add(const ReuseDistances& other);
  // Interpolates within a step. 0 before the first use. Between 0 and 1.
  double HitRatioAt(double blocks) const;
};

}  // namespace incipit
