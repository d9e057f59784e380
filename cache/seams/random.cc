#include "cache/seams/random.h"

#include <sys/random.h>

#include <cstdlib>
#include <cstring>

namespace incipit {
namespace {

class SystemRandom : public Random {
 public:
  uint64_t Next() override {
    uint64_t value = 0;
    if (getrandom(&value, sizeof(value), 0) != static_cast<ssize_t>(sizeof(value))) std::abort();
    return value;
  }
};

class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() override {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace

void Random::Fill(MutableBytes out) {
  for (size_t at = 0; at < out.size(); at += sizeof(uint64_t)) {
    const uint64_t value = Next();
    std::memcpy(out.data() + at, &value, std::min(sizeof(value), out.size() - at));
  }
}

std::unique_ptr<Random> MakeSystemRandom() { return std::make_unique<SystemRandom>(); }
std::unique_ptr<Random> MakeSeededRandom(uint64_t seed) { return std::make_unique<SeededRandom>(seed); }

}  // namespace incipit
