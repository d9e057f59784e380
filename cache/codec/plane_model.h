// What an encoder finds out about a plane of exponents before it codes it: a base for every channel, and which offsets
// below the base are common. Written in front of the plane; docs/coded_segments.md has the fields.
#pragma once

#include <array>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "cache/base/bytes.h"
#include "cache/codec/kernel.h"

namespace incipit::codec_internal {

inline constexpr uint32_t kMaxChannels = 16384;
inline constexpr size_t kModelFixedBytes = 16;  // then the bases

// A plane before it is coded: `values` exponents, those of `channels` channels in turn.
struct PlaneSource {
  size_t values = 0;
  uint32_t channels = 1;
  // Writes the exponents of values [first, first + count), at most kTileValues. Called with whole runs of 64 values
  // from a multiple of 64, or with whole rows of all channels (pieces of kTileValues, if they are longer).
  absl::FunctionRef<void(size_t first, size_t count, uint8_t* exponents)> read;
  // Begins to bring into the cache what read() of the same values will want.
  absl::FunctionRef<void(size_t first, size_t count)> fetch = FetchNothing;
  static void FetchNothing(size_t, size_t) {}
};

inline void FetchBytes(const uint8_t* bytes, size_t count) {
  for (size_t at = 0; at < count + 63; at += 64) __builtin_prefetch(bytes + at);
}

// One thread. About 70 KiB, made once and used for plane after plane.
class PlaneModel {
 public:
  PlaneModel();

  // Looks at a sample of the plane, at most half of it unless it is small. Gives the bits that a value's exponent is
  // expected to take, the model included; 8 if it is not worth looking closer.
  double Fit(const PlaneSource& source, Levels levels, const Kernel& kernel, TileBuffers* buffers);

  Levels levels() const { return levels_; }
  // Channels of the model: those of the source, or 1 where one base for all is cheaper.
  uint32_t channels() const { return channels_; }
  size_t EncodedBytes() const { return kModelFixedBytes + base_bits_ * EighthOf(channels_); }
  // REQUIRES: out.size() is EncodedBytes().
  void Encode(MutableBytes out) const;
  // Reads a model for `channels` channels from the start of untrusted bytes and gives its length. DataLoss: cut short,
  // or a field out of range. REQUIRES: 1 <= channels <= kMaxChannels.
  absl::Status Decode(ByteView bytes, uint32_t channels, size_t* model_bytes);

  // Bases of values [first, first + kTileValues), and up to a multiple of kGroupValues behind.
  const uint8_t* BasesAt(size_t first) const { return bases_.get() + first % channels_; }
  const EncodeTable& encode_table() const { return encode_table_; }
  const DecodeTable& decode_table() const { return decode_table_; }

 private:
  using Histogram = std::array<uint32_t, 256>;
  // Of the values looked at, how many have each place of the encoder's table.
  struct Places {
    std::array<uint32_t, kTablePlaces> counts{};
    uint32_t values = 0;
  };
  // One base for all channels.
  struct FlatFit {
    uint8_t base = 0;
    Places places;
  };
  // Rows of the plane that are looked at, spread over it.
  struct SampledRows {
    size_t rows, count;
    size_t At(size_t i) const { return i * rows / count; }
  };
  static constexpr size_t EighthOf(size_t channels) { return (channels + 7) / 8; }
  void ResetToFlat();
  static uint32_t CountRuns(const PlaneSource& source, size_t first, size_t end, TileBuffers* buffers,
                            Histogram* histogram);
  static FlatFit FitFlat(const Histogram& exponents);
  // Bits that a value takes, if the commonest places get the ranks; those are written to `offsets`.
  double Rank(const Places& places, std::array<uint8_t, kMaxRanks>* offsets) const;
  double FitChannels(const PlaneSource& source, const Kernel& kernel, uint8_t lowest, TileBuffers* buffers);
  template <typename Take>
  void ReadRows(const PlaneSource& source, const SampledRows& sampled, TileBuffers* buffers, Take take) const;
  void SetBasesByMean(const PlaneSource& source, const SampledRows& sampled, const Kernel& kernel, uint8_t lowest,
                      TileBuffers* buffers);
  void SetBasesByTop(const PlaneSource& source, const SampledRows& sampled, uint8_t lowest, TileBuffers* buffers);
  Places CountPlaces(const PlaneSource& source, const SampledRows& sampled, const Kernel& kernel,
                     TileBuffers* buffers) const;
  void MakeTables();
  void MeasureBases();
  void RepeatBases();

  Levels levels_ = Levels::kThree;
  uint32_t channels_ = 1;
  uint8_t lowest_base_ = 0;
  uint8_t base_bits_ = 0;  // that tell a base from the lowest
  std::array<uint8_t, kMaxRanks> offsets_{};
  std::unique_ptr<uint8_t[]> bases_;  // once for each channel, then over and over, so that a tile can begin anywhere
  std::unique_ptr<uint8_t[]> bytes_;  // of channels: sums, or greatest exponents
  std::unique_ptr<uint16_t[]> sums_;
  EncodeTable encode_table_{};
  DecodeTable decode_table_{};
};

}  // namespace incipit::codec_internal
