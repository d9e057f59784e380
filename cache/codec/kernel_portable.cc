#include <cstring>

#include "cache/codec/kernel.h"

namespace incipit::codec_internal {
namespace {

uint64_t Deposit(uint64_t bits, uint64_t mask) {
  uint64_t out = 0;
  for (; mask != 0; mask &= mask - 1, bits >>= 1) out |= (mask & (~mask + 1)) & (~(bits & 1) + 1);
  return out;
}
uint64_t Extract(uint64_t word, uint64_t mask) {
  uint64_t out = 0;
  for (unsigned at = 0; mask != 0; mask &= mask - 1, ++at) out |= uint64_t{(word & mask & (~mask + 1)) != 0} << at;
  return out;
}

#include "cache/codec/plane_words.inc"

// Where value `index` has its exponent and rest: bits 3 and 4 of its number are exchanged.
constexpr size_t PlaneIndexOf(size_t index) { return (index & ~size_t{24}) | (index & 8) << 1 | (index & 16) >> 1; }
unsigned Bf16At(const uint8_t* raw, size_t index) { return raw[2 * index] | raw[2 * index + 1] << 8; }

void SplitBf16(const uint8_t* raw, size_t values, uint8_t* exponents, uint8_t* rests) {
  for (size_t i = 0; i < values; ++i) {
    const unsigned value = Bf16At(raw, i);
    exponents[PlaneIndexOf(i)] = static_cast<uint8_t>(value >> 7);
    rests[PlaneIndexOf(i)] = static_cast<uint8_t>(value << 1 | value >> 15);
  }
}
void ExponentsBf16(const uint8_t* raw, size_t values, uint8_t* exponents) {
  for (size_t i = 0; i < values; ++i) exponents[PlaneIndexOf(i)] = static_cast<uint8_t>(Bf16At(raw, i) >> 7);
}
void MergeBf16(const uint8_t* exponents, const uint8_t* rests, size_t values, uint8_t* raw) {
  for (size_t i = 0; i < values; ++i) {
    const unsigned exponent = exponents[PlaneIndexOf(i)], rest = rests[PlaneIndexOf(i)];
    const unsigned value = (rest & 1) << 15 | exponent << 7 | rest >> 1;
    raw[2 * i] = static_cast<uint8_t>(value);
    raw[2 * i + 1] = static_cast<uint8_t>(value >> 8);
  }
}

// An e4m3's sign and mantissa, the mantissa first.
uint8_t RestOfE4m3(uint8_t value) { return static_cast<uint8_t>((value & 7) << 1 | value >> 7); }
uint8_t E4m3Of(uint8_t exponent, uint8_t rest) {
  return static_cast<uint8_t>((rest & 1) << 7 | exponent << 3 | rest >> 1);
}
void SplitE4m3(const uint8_t* raw, size_t values, uint8_t* exponents, uint8_t* rests) {
  for (size_t i = 0; i < values; i += 64, raw += 64, exponents += 64, rests += 32) {
    for (size_t j = 0; j < 64; ++j) exponents[j] = raw[j] >> 3 & 15;
    for (size_t j = 0; j < 32; ++j) rests[j] = static_cast<uint8_t>(RestOfE4m3(raw[j]) | RestOfE4m3(raw[32 + j]) << 4);
  }
}
void ExponentsE4m3(const uint8_t* raw, size_t values, uint8_t* exponents) {
  for (size_t i = 0; i < values; ++i) exponents[i] = raw[i] >> 3 & 15;
}
void MergeE4m3(const uint8_t* exponents, const uint8_t* rests, size_t values, uint8_t* raw) {
  for (size_t i = 0; i < values; i += 64, raw += 64, exponents += 64, rests += 32) {
    for (size_t j = 0; j < 32; ++j) raw[j] = E4m3Of(exponents[j] & 15, rests[j] & 15);
    for (size_t j = 0; j < 32; ++j) raw[32 + j] = E4m3Of(exponents[32 + j] & 15, rests[j] >> 4);
  }
}

void CountPlaces(const uint8_t* exponents, const uint8_t* bases, size_t values, uint32_t* counts) {
  for (size_t i = 0; i < values; ++i) CountOnePlace(exponents[i], bases[i], counts);
}

void CodePart(const EncodePart& part, PackState* state, TileBuffers* buffers) {
  const size_t words = GroupsOf(part.values) * kGroupWords;
  for (size_t i = 0; i < 4; ++i) std::memset(buffers->words[i], 0, 8 * words);
  for (size_t i = 0; i < part.values; ++i) {
    const size_t table_place = PlaceInTable(buffers->exponents[i], part.bases[i]);
    const unsigned flipped = table_place < kTablePlaces ? part.table->flipped_labels[table_place] : 0U;
    const uint64_t label = kExceptionLabel - flipped;
    const BitPlace place = PlaceOf(i);
    for (size_t bit = 0; bit < 4; ++bit) buffers->words[bit][place.word] |= (label >> bit & 1) << place.bit;
  }
  PackLabels(part, state, buffers);
}

void DecodeOnePart(const DecodePart& part, UnpackState* state, TileBuffers* buffers) {
  UnpackPlanes(part, state, buffers);
  const auto& words = buffers->words;
  const bool two = part.levels == Levels::kTwo;
  const size_t last = two ? 0 : 2;  // first plane of the last level
  for (size_t i = 0; i < part.values; ++i) {
    const auto [word, bit] = PlaceOf(i);
    const auto bits = [word = word, bit = bit](uint64_t low, uint64_t high) {
      return static_cast<unsigned>((low >> bit & 1) | (high >> bit & 1) << 1);
    };
    unsigned label = bits(LoadWord(part.planes.level1[0] + 8 * word), LoadWord(part.planes.level1[1] + 8 * word));
    bool ends = label != 3;
    if (!ends && !two) {
      const unsigned second = bits(words[0][word], words[1][word]);
      label = 4 + second;
      ends = second != 3;
    }
    if (!ends) label = 8 + bits(words[last][word], words[last + 1][word]) + 4 * bits(words[last + 2][word], 0);
    const uint8_t offset = part.table->offsets[label];
    buffers->exponents[i] = part.bases[i] > offset ? static_cast<uint8_t>(part.bases[i] - offset) : uint8_t{0};
  }
}

void Fence() {}

}  // namespace

const Kernel kPortableKernel = {"portable",    SplitBf16,    ExponentsBf16, MergeBf16,  SplitE4m3,
                                ExponentsE4m3, MergeE4m3,    Fence,         AddClamped, CountPlaces,
                                CodePart,      FinishPlanes, DecodeOnePart};

}  // namespace incipit::codec_internal
