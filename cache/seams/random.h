// Seam 2 of 5. Every random choice comes from here, so that one seed reproduces a run.
// Real: SystemRandom (the kernel's generator). In memory and faulty: SeededRandom.
#pragma once

#include <cstdint>
#include <memory>

#include "cache/base/bytes.h"

namespace incipit {

// One thread only.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }
  void Fill(MutableBytes out);
};

std::unique_ptr<Random> MakeSystemRandom();
// splitmix64 from `seed`: the same numbers on every machine.
std::unique_ptr<Random> MakeSeededRandom(uint64_t seed);

}  // namespace incipit
