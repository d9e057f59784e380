#include "cache/codec/plane_model.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/campaign.h"

namespace incipit::codec_internal {
namespace {

struct Fitted {
  PlaneModel model;
  double bits = 0;
};

std::unique_ptr<Fitted> Fit(const std::vector<uint8_t>& exponents, uint32_t channels) {
  auto fitted = std::make_unique<Fitted>();
  const auto buffers = std::make_unique<TileBuffers>();
  const auto read = [&](size_t first, size_t count, uint8_t* out) {
    std::copy_n(exponents.begin() + static_cast<ptrdiff_t>(first), count, out);
  };
  fitted->bits = fitted->model.Fit({exponents.size(), channels, read}, Levels::kThree, kPortableKernel, buffers.get());
  return fitted;
}

// Row after row; channel c lies around 100 + c % spread.
std::vector<uint8_t> Rows(size_t rows, uint32_t channels, uint32_t spread, std::mt19937_64& random) {
  std::vector<uint8_t> exponents;
  for (size_t i = 0; i < rows * channels; ++i) {
    exponents.push_back(static_cast<uint8_t>(100 + i % channels % spread - __builtin_ctzll(random() | 256)));
  }
  return exponents;
}

TEST(PlaneModel, BasesFollowTheirChannels) {
  std::mt19937_64 random(1);
  const auto fitted = Fit(Rows(64, 96, 8, random), 96);
  EXPECT_EQ(fitted->model.channels(), 96U);
  EXPECT_LT(fitted->bits, 2.7);
  const uint8_t* bases = fitted->model.BasesAt(0);
  int wrong = 0;
  for (int channel = 0; channel < 96; ++channel) wrong += std::abs(bases[channel] - bases[0] - channel % 8) > 1 ? 1 : 0;
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(fitted->model.BasesAt(96 * 5 + 7)[0], bases[7]) << "rows repeat";
  EXPECT_EQ(fitted->model.BasesAt(90)[kTileValues], bases[(90 + kTileValues) % 96]) << "tiles cross rows";
}

TEST(PlaneModel, OneBaseServesChannelsThatAreAlike) {
  std::mt19937_64 random(2);
  EXPECT_EQ(Fit(Rows(10, 576, 1, random), 576)->model.channels(), 1U) << "few rows: bases would cost more";
}

TEST(PlaneModel, NoiseIsNotWorthIt) {
  std::mt19937_64 random(3);
  std::vector<uint8_t> noise(64 * 576);
  for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random());
  EXPECT_GE(Fit(noise, 576)->bits, 8);
  EXPECT_GE(Fit({}, 1)->bits, 8) << "no values at all";
}

TEST(PlaneModel, EncodedModelsComeBack) {
  std::mt19937_64 random(4);
  for (const uint32_t spread : {1U, 3U, 16U, 20U}) {
    const auto fitted = Fit(Rows(64, 96, spread, random), 96);
    std::vector<uint8_t> bytes(fitted->model.EncodedBytes());
    fitted->model.Encode(bytes);
    PlaneModel again;
    size_t model_bytes = 0;
    const absl::Status status = again.Decode(bytes, fitted->model.channels(), &model_bytes);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(model_bytes, bytes.size());
    EXPECT_EQ(again.levels(), Levels::kThree);
    for (size_t i = 0; i < 200; ++i) ASSERT_EQ(again.BasesAt(i)[0], fitted->model.BasesAt(i)[0]) << i;
    for (size_t i = 0; i < kTablePlaces; ++i) {
      ASSERT_EQ(again.decode_table().offsets[i], fitted->model.decode_table().offsets[i]);
      ASSERT_EQ(again.encode_table().flipped_labels[i], fitted->model.encode_table().flipped_labels[i]);
    }
    bytes.pop_back();
    EXPECT_EQ(again.Decode(bytes, fitted->model.channels(), &model_bytes).code(), absl::StatusCode::kDataLoss);
  }
}

TEST(PlaneModel, FieldsOutOfRangeAreRefused) {
  const std::vector<uint8_t> good = {3, 0, 100, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255};
  PlaneModel model;
  size_t model_bytes = 0;
  ASSERT_TRUE(model.Decode(good, 1, &model_bytes).ok());
  const std::pair<size_t, uint8_t> damages[] = {{0, 1}, {0, 4}, {1, 9}, {3, 15}, {15, 200}, {0, 2}};
  for (const auto& [at, value] : damages) {
    std::vector<uint8_t> bad = good;
    bad[at] = value;
    EXPECT_EQ(model.Decode(bad, 1, &model_bytes).code(), absl::StatusCode::kDataLoss) << at;
  }
}

}  // namespace
}  // namespace incipit::codec_internal
