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

template <Levels kLevels>
void CodeGroups(const EncodePart& part, PackState* state, TileBuffers* buffers) {
  GroupPacker<kLevels> packer(*state, buffers);
  const uint8_t* const exponents = buffers->exponents + state->values;
  for (size_t first = 0; first < part.values; first += kGroupValues) {
    GroupLabels labels = {};
    for (size_t i = 0; i < kGroupValues && first + i < part.values; ++i) {
      const size_t table_place = PlaceInTable(exponents[first + i], part.bases[first + i]);
      const unsigned flipped = table_place < kTablePlaces ? part.table->flipped_labels[table_place] : 0U;
      const uint64_t label = kExceptionLabel - flipped;
      const BitPlace place = PlaceOf(i);
      for (size_t bit = 0; bit < 4; ++bit) labels.bits[bit][place.word] |= (label >> bit & 1) << place.bit;
    }
    const auto& bits = labels.bits;
    uint64_t any = 0;
    for (size_t i = 0; i < kGroupWords; ++i) {
      const uint64_t second = kLevels == Levels::kTwo ? bits[3][i] : bits[2][i] | bits[3][i];
      StoreWord(part.level1[0] + first / 8 + 8 * i, bits[0][i] | second);
      StoreWord(part.level1[1] + first / 8 + 8 * i, bits[1][i] | second);
      packer.exceptions()[i] = bits[0][i] & bits[1][i] & bits[2][i] & bits[3][i];
      any |= packer.exceptions()[i];
    }
    packer.Pack(labels, any != 0);
  }
  packer.Save(state);
  state->values += static_cast<uint32_t>(part.values);
}
void CodePart(const EncodePart& part, PackState* state, TileBuffers* buffers) {
  part.levels == Levels::kTwo ? CodeGroups<Levels::kTwo>(part, state, buffers)
                              : CodeGroups<Levels::kThree>(part, state, buffers);
}
void CodeBf16(const EncodePart& part, const uint8_t* raw, uint8_t* rests, PackState* state, TileBuffers* buffers) {
  SplitBf16(raw, part.values, buffers->exponents + state->values, rests);
  CodePart(part, state, buffers);
}

// The label of a value, from bit `bit` of its words.
template <Levels kLevels>
unsigned LabelAt(uint64_t first0, uint64_t first1, const uint64_t* packed, unsigned bit) {
  const auto bits = [bit](uint64_t low, uint64_t high) {
    return static_cast<unsigned>((low >> bit & 1) | (high >> bit & 1) << 1);
  };
  unsigned label = bits(first0, first1);
  if (label != 3) return label;
  if constexpr (kLevels == Levels::kThree) {
    label = bits(packed[0], packed[1]);
    if (label != 3) return 4 + label;
    packed += 2;
  }
  return 8 + bits(packed[0], packed[1]) + 4 * bits(packed[2], 0);
}
template <Levels kLevels>
void DecodeGroups(const DecodePart& part, UnpackState* state, uint8_t* exponents) {
  WordUnpacker<kLevels> unpacker(part, *state);
  const size_t words = GroupsOf(part.values) * kGroupWords;
  for (size_t word = 0; word < words; ++word) {
    const uint64_t first0 = LoadWord(part.planes.level1[0] + 8 * word);
    const uint64_t first1 = LoadWord(part.planes.level1[1] + 8 * word);
    uint64_t packed[WordUnpacker<kLevels>::kPlanes];
    unpacker.Next(packed);
    for (unsigned bit = 0; bit < 64; ++bit) {
      const size_t value = IndexOf(word, bit);
      const uint8_t offset = part.table->offsets[LabelAt<kLevels>(first0, first1, packed, bit)];
      const uint8_t base = part.bases[value];
      const auto exponent = base > offset ? static_cast<uint8_t>(base - offset) : uint8_t{0};
      exponents[value] = exponent ^ part.patches[value];
    }
  }
  unpacker.Save(state);
}
void DecodeOnePart(const DecodePart& part, UnpackState* state, TileBuffers* buffers) {
  part.levels == Levels::kTwo ? DecodeGroups<Levels::kTwo>(part, state, buffers->exponents)
                              : DecodeGroups<Levels::kThree>(part, state, buffers->exponents);
}
void DecodeBf16Part(const DecodePart& part, const uint8_t* rests, uint8_t* raw, UnpackState* state) {
  uint8_t exponents[kTileValues];
  part.levels == Levels::kTwo ? DecodeGroups<Levels::kTwo>(part, state, exponents)
                              : DecodeGroups<Levels::kThree>(part, state, exponents);
  MergeBf16(exponents, rests, part.values, raw);
}

void Fence() {}

}  // namespace

const Kernel kPortableKernel = {"portable",    SplitBf16, ExponentsBf16, MergeBf16,     SplitE4m3,
                                ExponentsE4m3, MergeE4m3, Fence,         AddClamped,    CountPlaces,
                                CodePart,      CodeBf16,  FinishPlanes,  DecodeOnePart, DecodeBf16Part};

}  // namespace incipit::codec_internal
