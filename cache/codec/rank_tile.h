// One tile of exponents as ranks: the unit that kernels code and decode. docs/coded_segments.md is the specification.
//
// A rank says how common an exponent is, relative to its channel's base; what has no rank is an exception. Codes have
// two or three levels, kept in bit planes: two bits for every value; with two levels, three more for values where both
// are set; with three levels, two more for those, and three more where both of these are set as well. Planes of level 1
// have a bit for every value; those behind are packed: they have bits only for the values that reach them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace incipit::codec_internal {

inline constexpr size_t kTileValues = 4096;
inline constexpr size_t kGroupValues = 256;  // whose bits of one plane are 32 bytes
inline constexpr size_t kGroupBytes = kGroupValues / 8;
inline constexpr size_t kGroupWords = kGroupBytes / 8;
inline constexpr size_t kTileWords = kTileValues / 64;
inline constexpr size_t kPackedPlanes = 5;              // at most
inline constexpr size_t kPlaneBytes = kTileValues / 8;  // at most
inline constexpr size_t kReadSlack = kPlaneBytes + 16;  // a decoder may look so far behind where a plane begins
inline constexpr size_t kMaxRanks = 13;
inline constexpr size_t kTablePlaces = 16;   // of the encoder's table: 0 is the exponent 0, 1 + i is base - i
inline constexpr uint8_t kZeroOffset = 255;  // base - 255, not below 0, is 0 for every base

constexpr size_t GroupsOf(size_t values) { return (values + kGroupValues - 1) / kGroupValues; }
constexpr size_t PlaneBytesOf(size_t values) { return GroupsOf(values) * kGroupBytes; }

// Where value `index` of a tile has its bit: bits of one byte belong to values 32 apart, so that vectors of 32 bytes
// turn into planes and back by shifts.
struct BitPlace {
  size_t word;
  unsigned bit;
};
constexpr BitPlace PlaceOf(size_t index) {
  const size_t in_group = index % kGroupValues;
  return {index / kGroupValues * kGroupWords + in_group % 32 / 8,
          static_cast<unsigned>(in_group % 8 * 8 + in_group / 32)};
}
constexpr size_t IndexOf(size_t word, unsigned bit) {
  return word / kGroupWords * kGroupValues + bit % 8 * 32 + word % kGroupWords * 8 + bit / 8;
}

// How many levels codes have: two are faster, three make less of most data.
enum class Levels : uint8_t { kTwo = 2, kThree = 3 };
constexpr size_t RanksOf(Levels levels) { return levels == Levels::kTwo ? 10 : 13; }
// Bits of a rank's code.
constexpr unsigned BitsOfRank(Levels levels, size_t rank) {
  if (rank < 3) return 2;
  return levels == Levels::kTwo ? 5 : rank < 6 ? 4 : 7;
}
// Four bits that say a rank within a kernel: 0 to 2 end at level 1, 4 to 6 at level 2 of three, 8 to 14 at the last. 15
// is an exception.
constexpr uint8_t LabelOf(Levels levels, size_t rank) {
  if (rank < 3) return static_cast<uint8_t>(rank);
  if (levels == Levels::kTwo) return static_cast<uint8_t>(8 + rank - 3);
  return static_cast<uint8_t>(rank < 6 ? 4 + rank - 3 : 8 + rank - 6);
}
inline constexpr uint8_t kExceptionLabel = 15;

// By place: 15 - label. 0 is an exception.
struct EncodeTable {
  alignas(16) uint8_t flipped_labels[kTablePlaces];
};
// By label: the exponent is base - offset, not below 0. 0 where there is no such rank.
struct DecodeTable {
  alignas(16) uint8_t offsets[kTablePlaces];
};

// A tile is coded part by part. Every part of a tile but its last has whole groups; of rows that lie apart,
// kPartValues.
inline constexpr size_t kPartValues = 1024;

// How far a tile's packed planes are written. Values are counted.
struct PackState {
  uint64_t kept[kPackedPlanes] = {};  // bits that do not make a whole byte yet
  uint32_t level2 = 0;
  uint32_t level3 = 0;  // 0 with two levels
  uint32_t values = 0;
  uint32_t exception_groups = 0;
};
// How far they are read.
struct UnpackState {
  uint32_t level2 = 0;
  uint32_t level3 = 0;
};

// A group some of whose values are exceptions, by a bit for each value.
struct ExceptionGroup {
  uint64_t bits[kGroupWords];
  uint64_t group;  // of the tile
};

// Memory for one tile, of one thread at a time. Kernels work on whole groups, hence the room behind parts.
struct TileBuffers {
  // Of a tile that is being coded; of a part that was decoded; of what a model looks at.
  alignas(64) uint8_t exponents[kTileValues + kGroupValues];
  // What turns the bases of values that are exceptions into their exponents, by exclusive or. 0 of all others, and of
  // all between tiles.
  alignas(64) uint8_t patches[kTileValues + kGroupValues] = {};
  alignas(64) uint8_t packed[kPackedPlanes][kPlaneBytes + kReadSlack];
  uint16_t exception_places[kTileValues + 1];
  ExceptionGroup exception_groups[kTileValues / kGroupValues + 1];  // kernels write one that does not count
};

// Where a tile's planes lie. Of a packed one, a decoder may read kReadSlack bytes from its start.
struct TilePlanes {
  const uint8_t* level1[2];
  const uint8_t* packed[kPackedPlanes];
};

// What a kernel's encode_part and decode_part work on. `ahead` is where the caller reads next: it is fetched into the
// cache meanwhile, and need not exist.
struct EncodePart {
  Levels levels;
  const uint8_t* bases;
  size_t values;
  const EncodeTable* table;
  uint8_t* level1[2];  // where the part's bits begin
  uintptr_t ahead;
};
struct DecodePart {
  Levels levels;
  const uint8_t* bases;
  size_t values;
  const DecodeTable* table;
  TilePlanes planes;  // level1 is where the part's bits begin
  const uint8_t* patches;
  uintptr_t ahead;
};
// Bytes fetched ahead for the values of a group: about what it takes raw, and coded.
inline constexpr uintptr_t kEncodeAheadBytes = 2 * kGroupValues, kDecodeAheadBytes = 3 * kGroupValues / 2;

}  // namespace incipit::codec_internal
