#include "bench/common/latents.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <vector>

namespace incipit::bench {
namespace {

// splitmix64: small, and the same everywhere.
class Draws {
 public:
  explicit Draws(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }
  double Normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2 * std::log(Unit())), angle = 2 * std::numbers::pi * Unit();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

 private:
  double Unit() { return (static_cast<double>(Next() >> 11) + 1) / static_cast<double>(uint64_t{1} << 53); }  // (0, 1]
  uint64_t state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

void PutBf16(double value, uint8_t* at) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  at[0] = static_cast<uint8_t>(rounded >> 16);
  at[1] = static_cast<uint8_t>(rounded >> 24);
}

// Normal values drawn once and used from many starting points: drawing each anew would take longer than measuring.
constexpr size_t kPoolValues = (1 << 20) + 7;  // odd, so that no segment's rows fall on the same ones
constexpr size_t kPoolStep = 7919;

}  // namespace

void FillLatents(const LatentShape& shape, MutableBytes out) {
  Draws draws(shape.seed);
  std::vector<double> scales(size_t{shape.layers} * kLatentValues), pool(kPoolValues);
  for (double& scale : scales) scale = std::exp(shape.sigma * draws.Normal());
  for (double& value : pool) value = draws.Normal();
  const size_t segment_values = shape.segment_bytes / 2;
  size_t at = 0;
  for (size_t i = 0; i < out.size() / 2; ++i) {
    if (i % segment_values == 0) at = draws.Next() % kPoolValues;
    at = at + kPoolStep < kPoolValues ? at + kPoolStep : at + kPoolStep - kPoolValues;
    const size_t layer = i / segment_values % shape.layers;
    PutBf16(pool[at] * scales[layer * kLatentValues + i % segment_values % kLatentValues], out.data() + 2 * i);
  }
}

}  // namespace incipit::bench
