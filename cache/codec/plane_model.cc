#include "cache/codec/plane_model.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace incipit::codec_internal {
namespace {

constexpr size_t kBasesSlack = 2 * kGroupValues;  // kernels work on two groups at once
constexpr size_t kBasesBytes = kMaxChannels + kTileValues + kBasesSlack;
constexpr size_t kProbeRuns = 8;  // spread over the plane
constexpr size_t kFirstRuns = 4;  // of these; the others are looked at only if channels do not matter
constexpr size_t kProbeRunValues = 64;
constexpr uint8_t kSpan = 31;          // exponents beyond this window count as its ends when a channel's mean is taken
constexpr double kMinInWindow = 0.75;  // of the probe; with less, no channel's base would help
constexpr size_t kMaxMeanRows = 32;
constexpr size_t kTopRows = 12;  // of which the second greatest exponent of a channel is taken, where time matters more
constexpr uint8_t kAboveTop = 2;
constexpr size_t kRowsAhead = 2;   // fetched while one is looked at
constexpr size_t kRowsInByte = 8;  // whose clamped exponents a byte can hold the sum of
static_assert(kRowsInByte * kSpan <= 255);
constexpr size_t kMaxCountedValues = 2048;
constexpr size_t kMinRows = 8;  // with fewer, bases cost more than they can save
// A base is this much above the mean exponent of its channel: of values with a normal distribution the exponents reach
// further down than up, and none is more than 4 above the mean.
constexpr unsigned kAboveMean = 4;
// With a base this high, no exponent above it is taken for one below: kernels subtract modulo 256.
constexpr unsigned kLeastBase = kTablePlaces - 2;
static_assert(256 + kLeastBase - 255 >= kTablePlaces - 1);
constexpr double kBitsOfException = 24;
constexpr unsigned kRoundUpQuarters = 3;  // of the mean; of 0 to 3 it made the commonest offsets commonest
constexpr double kNotWorthIt = 8;
constexpr size_t kManyRows = 32;
constexpr double kWellFitted = 3.2;  // with many rows, one base for all channels would hardly be better

// Fields of an encoded model.
constexpr size_t kLevelsAt = 0, kBaseBitsAt = 1, kLowestBaseAt = 2, kOffsetsAt = 3;
static_assert(kOffsetsAt + kMaxRanks == kModelFixedBytes);
constexpr uint8_t kMaxBaseBits = 8;

absl::Status Damaged(std::string_view field, uint64_t found, std::string_view expected) {
  return absl::DataLossError(
      absl::StrCat("coded segment: ", std::string(field), " is ", found, ", expected ", std::string(expected)));
}

void MoveSums(uint8_t* __restrict from, size_t count, uint16_t* __restrict to) {
  for (size_t i = 0; i < count; ++i) to[i] = static_cast<uint16_t>(to[i] + from[i]);
  std::memset(from, 0, count);
}

// Bases from the sums of 2^row_bits clamped exponents.
void MakeBases(const uint16_t* __restrict sums, size_t count, unsigned row_bits, uint8_t lowest,
               uint8_t* __restrict bases) {
  const auto rounding = static_cast<uint16_t>((kRoundUpQuarters << row_bits) / 4);
  const auto above = static_cast<uint16_t>(lowest + kAboveMean);
  for (size_t i = 0; i < count; ++i) {
    const auto base = static_cast<uint16_t>(above + (static_cast<uint16_t>(sums[i] + rounding) >> row_bits));
    const uint16_t at_least = base > kLeastBase ? base : uint16_t{kLeastBase};
    bases[i] = static_cast<uint8_t>(at_least < 255 ? at_least : 255);
  }
}

void KeepTopTwo(const uint8_t* __restrict exponents, size_t count, uint8_t* __restrict top,
                uint8_t* __restrict second) {
  for (size_t i = 0; i < count; ++i) {
    const uint8_t exponent = exponents[i], was_top = top[i], lower = exponent < was_top ? exponent : was_top;
    second[i] = second[i] > lower ? second[i] : lower;
    top[i] = exponent > was_top ? exponent : was_top;
  }
}

// From the second greatest exponents to bases, in place. What lies outside the window counts as its ends.
void RaiseBases(size_t count, uint8_t lowest, uint8_t* bases) {
  const auto least = static_cast<uint8_t>(std::max<int>(lowest, kLeastBase - kAboveTop));
  const auto most = static_cast<uint8_t>(std::min(lowest + kSpan, 255 - kAboveTop));
  for (size_t i = 0; i < count; ++i) {
    const uint8_t capped = bases[i] < most ? bases[i] : most;
    bases[i] = static_cast<uint8_t>((capped > least ? capped : least) + kAboveTop);
  }
}

// One bit of `count` bases, as bit `part` of bytes, and back.
void PutBaseBits(const uint8_t* __restrict bases, size_t count, uint8_t lowest, unsigned bit, unsigned part,
                 uint8_t* __restrict plane) {
  const auto from = static_cast<uint8_t>(1 << bit), to = static_cast<uint8_t>(1 << part);
  for (size_t i = 0; i < count; ++i) {
    const auto above = static_cast<uint8_t>(bases[i] - lowest);
    plane[i] = static_cast<uint8_t>(plane[i] | ((above & from) == from ? to : uint8_t{0}));
  }
}
void AddBaseBits(const uint8_t* __restrict plane, size_t count, unsigned bit, unsigned part,
                 uint8_t* __restrict bases) {
  const auto from = static_cast<uint8_t>(1 << part), to = static_cast<uint8_t>(1 << bit);
  for (size_t i = 0; i < count; ++i) {
    bases[i] = static_cast<uint8_t>(bases[i] + ((plane[i] & from) == from ? to : uint8_t{0}));
  }
}

// Runs of the probe, spread over the plane so that the first ones are as well.
size_t RunAt(const PlaneSource& source, size_t run) {
  const size_t runs = source.values / kProbeRunValues, spread = run * 2 % kProbeRuns + run * 2 / kProbeRuns;
  return (runs <= kProbeRuns ? run : spread * runs / kProbeRuns) * kProbeRunValues;
}
size_t EndOfRuns(const PlaneSource& source, size_t end) { return std::min(end, source.values / kProbeRunValues); }
void FetchRuns(const PlaneSource& source, size_t first, size_t end) {
  for (size_t run = first; run < EndOfRuns(source, end); ++run) source.fetch(RunAt(source, run), kProbeRunValues);
}

}  // namespace

PlaneModel::PlaneModel()
    : bases_(new uint8_t[kBasesBytes]()), bytes_(new uint8_t[kMaxChannels]()), sums_(new uint16_t[kMaxChannels]()) {}

double PlaneModel::Fit(const PlaneSource& source, Levels levels, const Kernel& kernel, TileBuffers* buffers) {
  levels_ = levels;
  FetchRuns(source, 0, kFirstRuns);
  ResetToFlat();
  Histogram histogram{};
  const uint32_t count = CountRuns(source, 0, kFirstRuns, buffers, &histogram);
  if (count == 0) return kNotWorthIt;
  uint32_t below = 0;
  size_t median = 0;
  while (below + histogram[median] <= count / 2) below += histogram[median++];
  const size_t lowest = median > kSpan / 2 ? median - kSpan / 2 : 0;
  const size_t end = std::min<size_t>(lowest + kSpan + 1, 256);
  uint32_t inside = lowest > 0 ? histogram[0] : 0;
  for (size_t exponent = lowest; exponent < end; ++exponent) inside += histogram[exponent];
  if (inside < kMinInWindow * count) return kNotWorthIt;

  const size_t rows = source.values / source.channels;
  double channel_bits = kNotWorthIt;
  if (source.channels > 1 && rows >= kMinRows) {
    channel_bits = FitChannels(source, kernel, static_cast<uint8_t>(lowest), buffers);
    if (rows >= kManyRows && channel_bits < kWellFitted) return channel_bits;
  }
  CountRuns(source, kFirstRuns, kProbeRuns, buffers, &histogram);
  const FlatFit flat = FitFlat(histogram);
  std::array<uint8_t, kMaxRanks> flat_offsets;
  const double flat_bits = Rank(flat.places, &flat_offsets);
  if (flat_bits >= channel_bits && channel_bits < kNotWorthIt) return channel_bits;
  ResetToFlat();
  bases_[0] = flat.base;
  offsets_ = flat_offsets;
  MeasureBases();
  MakeTables();
  RepeatBases();
  return flat_bits;
}

// Adds to the histogram and gives the number of values.
uint32_t PlaneModel::CountRuns(const PlaneSource& source, size_t first, size_t end, TileBuffers* buffers,
                               Histogram* histogram) {
  // Of every fourth value each, since a count that was just raised is not soon ready to be raised again.
  Histogram quarters[4] = {};
  uint32_t count = 0;
  for (size_t run = first; run < EndOfRuns(source, end); ++run, count += kProbeRunValues) {
    source.read(RunAt(source, run), kProbeRunValues, buffers->exponents);
    for (size_t i = 0; i < kProbeRunValues; ++i) ++quarters[i % 4][buffers->exponents[i]];
  }
  for (size_t i = 0; i < histogram->size(); ++i) {
    (*histogram)[i] += quarters[0][i] + quarters[1][i] + quarters[2][i] + quarters[3][i];
  }
  return count;
}

// A model that nothing was found for is as valid as any, and the same whatever came before.
void PlaneModel::ResetToFlat() {
  offsets_.fill(0);
  channels_ = 1;
  bases_[0] = kLeastBase;
  MeasureBases();
  MakeTables();
  RepeatBases();
}

// The window of exponents that holds the most.
PlaneModel::FlatFit PlaneModel::FitFlat(const Histogram& exponents) {
  constexpr size_t kWidth = kTablePlaces - 1;
  FlatFit fit;
  uint32_t held = 0, most = 0;
  for (size_t top = 1; top < exponents.size(); ++top) {
    held += exponents[top];
    if (top > kWidth) held -= exponents[top - kWidth];
    if (top < kLeastBase || (held <= most && top != kLeastBase)) continue;
    most = held;
    fit.base = static_cast<uint8_t>(top);
  }
  for (size_t exponent = 0; exponent < exponents.size(); ++exponent) {
    const size_t place = exponent == 0 ? 0 : exponent <= fit.base ? 1 + fit.base - exponent : kTablePlaces;
    if (place < kTablePlaces) fit.places.counts[place] += exponents[exponent];
    fit.places.values += exponents[exponent];
  }
  return fit;
}

double PlaneModel::FitChannels(const PlaneSource& source, const Kernel& kernel, uint8_t lowest, TileBuffers* buffers) {
  channels_ = source.channels;
  const size_t rows = source.values / channels_;
  const bool fast = levels_ == Levels::kTwo;
  const SampledRows sampled{rows, fast ? std::min(rows, kTopRows) : std::bit_floor(std::min(rows, kMaxMeanRows))};
  fast ? SetBasesByTop(source, sampled, lowest, buffers) : SetBasesByMean(source, sampled, kernel, lowest, buffers);
  MeasureBases();
  RepeatBases();
  const double bits = Rank(CountPlaces(source, sampled, kernel, buffers), &offsets_);
  MakeTables();
  return bits + static_cast<double>(base_bits_ * channels_) / static_cast<double>(source.values);
}

// Gives `take` the exponents of the sampled rows, in pieces, and fetches the next rows meanwhile.
template <typename Take>
void PlaneModel::ReadRows(const PlaneSource& source, const SampledRows& sampled, TileBuffers* buffers,
                          Take take) const {
  for (size_t i = 0; i < std::min(sampled.count, kRowsAhead); ++i) source.fetch(sampled.At(i) * channels_, channels_);
  for (size_t i = 0; i < sampled.count; ++i) {
    if (i + kRowsAhead < sampled.count) source.fetch(sampled.At(i + kRowsAhead) * channels_, channels_);
    for (size_t first = 0; first < channels_; first += kTileValues) {
      const size_t count = std::min(channels_ - first, kTileValues);
      source.read(sampled.At(i) * channels_ + first, count, buffers->exponents);
      take(i, first, count);
    }
  }
}

void PlaneModel::SetBasesByMean(const PlaneSource& source, const SampledRows& sampled, const Kernel& kernel,
                                uint8_t lowest, TileBuffers* buffers) {
  uint8_t* const byte_sums = bytes_.get();
  uint16_t* const sums = sums_.get();
  std::memset(byte_sums, 0, channels_);
  std::memset(sums, 0, channels_ * sizeof(*sums));
  ReadRows(source, sampled, buffers, [&](size_t i, size_t first, size_t count) {
    kernel.add_clamped(buffers->exponents, count, lowest, kSpan, byte_sums + first);
    const bool full = i % kRowsInByte == kRowsInByte - 1 || i + 1 == sampled.count;
    if (full) MoveSums(byte_sums + first, count, sums + first);
  });
  MakeBases(sums, channels_, static_cast<unsigned>(std::countr_zero(sampled.count)), lowest, bases_.get());
}

// The second greatest of a few exponents lies closer to the bulk of a normal distribution's than their mean, and one
// outlier does not move it.
void PlaneModel::SetBasesByTop(const PlaneSource& source, const SampledRows& sampled, uint8_t lowest,
                               TileBuffers* buffers) {
  uint8_t* const top = bytes_.get();
  uint8_t* const second = bases_.get();
  std::memset(top, 0, channels_);
  std::memset(second, 0, channels_);
  ReadRows(source, sampled, buffers, [&](size_t, size_t first, size_t count) {
    KeepTopTwo(buffers->exponents, count, top + first, second + first);
  });
  RaiseBases(channels_, lowest, second);
}

PlaneModel::Places PlaneModel::CountPlaces(const PlaneSource& source, const SampledRows& sampled, const Kernel& kernel,
                                           TileBuffers* buffers) const {
  const size_t used = std::clamp<size_t>(kMaxCountedValues / channels_, 1, sampled.count);
  // Bases that follow few rows suit these better than any other: beside them is what tells.
  const size_t beside = levels_ == Levels::kTwo ? 1 : 0;
  Places places;
  for (size_t i = 0; i < used; ++i) {
    const size_t row = std::min((2 * i + 1) * sampled.rows / (2 * used) + beside, sampled.rows - 1);
    for (size_t first = 0; first < channels_; first += kTileValues) {
      const size_t count = std::min(channels_ - first, kTileValues);
      source.read(row * channels_ + first, count, buffers->exponents);
      kernel.count_places(buffers->exponents, bases_.get() + first, count, places.counts.data());
      places.values += static_cast<uint32_t>(count);
    }
  }
  return places;
}

double PlaneModel::Rank(const Places& places, std::array<uint8_t, kMaxRanks>* offsets) const {
  // How many places come before each: a sort whose branches nobody has to guess.
  std::array<uint8_t, kTablePlaces> order{};
  for (size_t place = 0; place < kTablePlaces; ++place) {
    const uint32_t found = places.counts[place];
    unsigned before = 0;
    for (size_t other = 0; other < kTablePlaces; ++other) {
      before += places.counts[other] > found || (places.counts[other] == found && other < place) ? 1 : 0;
    }
    order[before] = static_cast<uint8_t>(place);
  }
  double bits = 0;
  uint32_t exceptions = places.values;
  offsets->fill(0);
  for (size_t rank = 0; rank < RanksOf(levels_); ++rank) {
    const uint32_t found = places.counts[order[rank]];
    bits += static_cast<double>(found) * BitsOfRank(levels_, rank);
    exceptions -= found;
    (*offsets)[rank] = order[rank] == 0 ? kZeroOffset : static_cast<uint8_t>(order[rank] - 1);
  }
  return (bits + exceptions * kBitsOfException) / std::max(places.values, 1U);
}

void PlaneModel::MakeTables() {
  encode_table_ = {};
  decode_table_ = {};
  for (size_t rank = 0; rank < RanksOf(levels_); ++rank) {
    const uint8_t offset = offsets_[rank], label = LabelOf(levels_, rank);
    encode_table_.flipped_labels[offset == kZeroOffset ? 0 : 1 + offset] = kExceptionLabel - label;
    decode_table_.offsets[label] = offset;
  }
}

void PlaneModel::MeasureBases() {
  const uint8_t* const bases = bases_.get();
  uint8_t lowest = 255, highest = 0;
  for (size_t channel = 0; channel < channels_; ++channel) {
    lowest = std::min(lowest, bases[channel]);
    highest = std::max(highest, bases[channel]);
  }
  lowest_base_ = lowest;
  base_bits_ = static_cast<uint8_t>(std::bit_width(static_cast<unsigned>(highest - lowest)));
}

void PlaneModel::RepeatBases() {
  const size_t wanted = channels_ + kTileValues + kBasesSlack;
  if (channels_ == 1) {
    std::memset(bases_.get(), bases_[0], wanted);
    return;
  }
  for (size_t have = channels_; have < wanted; have *= 2) {
    std::memcpy(bases_.get() + have, bases_.get(), std::min(have, wanted - have));
  }
}

void PlaneModel::Encode(MutableBytes out) const {
  out[kLevelsAt] = static_cast<uint8_t>(levels_);
  out[kBaseBitsAt] = base_bits_;
  out[kLowestBaseAt] = lowest_base_;
  std::copy(offsets_.begin(), offsets_.end(), out.begin() + kOffsetsAt);
  const size_t eighth = EighthOf(channels_);
  for (unsigned bit = 0; bit < base_bits_; ++bit) {
    uint8_t* const plane = out.data() + kModelFixedBytes + bit * eighth;
    std::memset(plane, 0, eighth);
    for (unsigned part = 0; part < 8; ++part) {
      const size_t first = std::min<size_t>(channels_, part * eighth);
      PutBaseBits(bases_.get() + first, std::min(eighth, channels_ - first), lowest_base_, bit, part, plane);
    }
  }
}

absl::Status PlaneModel::Decode(ByteView bytes, uint32_t channels, size_t* model_bytes) {
  if (bytes.size() < kModelFixedBytes) return Damaged("bytes of the model", bytes.size(), "at least 16");
  const uint8_t levels = bytes[kLevelsAt], base_bits = bytes[kBaseBitsAt], lowest = bytes[kLowestBaseAt];
  if (levels != 2 && levels != 3) return Damaged("number of levels", levels, "2 or 3");
  if (base_bits > kMaxBaseBits) return Damaged("bits of a base", base_bits, "at most 8");
  for (size_t rank = 0; rank < kMaxRanks; ++rank) {
    const uint8_t offset = bytes[kOffsetsAt + rank];
    const bool used = rank < RanksOf(static_cast<Levels>(levels));
    if (!used && offset != 0) return Damaged("offset of a rank that does not exist", offset, "0");
    if (used && offset >= kTablePlaces - 1 && offset != kZeroOffset) {
      return Damaged("offset of a rank", offset, "0 to 14, or 255");
    }
  }
  const size_t eighth = EighthOf(channels);
  *model_bytes = kModelFixedBytes + base_bits * eighth;
  if (bytes.size() < *model_bytes) return Damaged("bytes of the model", bytes.size(), absl::StrCat(*model_bytes));
  std::copy_n(bytes.begin() + kOffsetsAt, kMaxRanks, offsets_.begin());
  levels_ = static_cast<Levels>(levels);
  channels_ = channels;
  lowest_base_ = lowest;
  base_bits_ = base_bits;
  std::memset(bases_.get(), lowest, 8 * eighth);
  for (unsigned bit = 0; bit < base_bits; ++bit) {
    const uint8_t* const plane = bytes.data() + kModelFixedBytes + bit * eighth;
    for (unsigned part = 0; part < 8; ++part) {
      AddBaseBits(plane, eighth, bit, part, bases_.get() + part * eighth);
    }
  }
  MakeTables();
  RepeatBases();
  return absl::OkStatus();
}

}  // namespace incipit::codec_internal
