#include "bench/plan/sizing/ttft_model.h"

#include <gtest/gtest.h>

#include <limits>

namespace incipit::bench {
namespace {

// 1 token/s of computing; 1 byte a token; fast links unless a test says otherwise.
constexpr double kFast = 1e12;
TtftInputs Usual() {
  return {.cost = {1, 0},
          .flops_per_s = 1,
          .bytes_per_token = 1,
          .client_bytes_per_s = kFast,
          .network_bytes_per_s = kFast,
          .nvme_bytes_per_s = kFast};
}

TEST(TtftModelTest, HitsSaveTheirComputing) {
  TtftModel model(Usual());
  EXPECT_NEAR(model.WithoutSeconds(100), 100, 1e-9);
  EXPECT_NEAR(model.With({.input_tokens = 100, .hit_tokens = 60}).seconds, 40, 1e-6);
  EXPECT_NEAR(model.With({.input_tokens = 100}).seconds, 100, 1e-6);
  EXPECT_FALSE(model.With({.input_tokens = 100}).loaded);
}

TEST(TtftModelTest, DepthCostsAttention) {
  TtftInputs inputs = Usual();
  inputs.cost = {1, 2};
  TtftModel model(inputs);
  EXPECT_NEAR(model.WithoutSeconds(10), 10 + 100, 1e-9);
  EXPECT_NEAR(model.With({.input_tokens = 10, .hit_tokens = 5}).seconds, 110 - 30, 1e-6);
}

TEST(TtftModelTest, LoadsWaitForThoseBeforeThem) {
  TtftInputs inputs = Usual();
  inputs.network_bytes_per_s = 10;
  TtftModel model(inputs);
  const TtftRequest request{.input_tokens = 100, .hit_tokens = 100};
  EXPECT_NEAR(model.With(request).seconds, 10, 1e-9);
  EXPECT_NEAR(model.With(request).seconds, 20, 1e-9);
  EXPECT_NEAR(model.With({.time_ms = 15'000, .input_tokens = 100, .hit_tokens = 100}).seconds, 15, 1e-9);
  EXPECT_NEAR(model.With({.time_ms = 60'000, .input_tokens = 100, .hit_tokens = 100}).seconds, 10, 1e-9);
}

TEST(TtftModelTest, TheSlowestStageCounts) {
  TtftInputs inputs = Usual();
  inputs.nvme_bytes_per_s = 5;
  TtftModel nvme(inputs);
  EXPECT_NEAR(nvme.With({.input_tokens = 100, .hit_tokens = 100, .nvme_tokens = 50}).seconds, 10, 1e-6);
  EXPECT_NEAR(nvme.With({.input_tokens = 100, .hit_tokens = 100}).seconds, 0, 1e-6) << "from RAM, past the queue";
  inputs = Usual();
  inputs.client_bytes_per_s = 2;
  EXPECT_NEAR(TtftModel(inputs).With({.input_tokens = 100, .hit_tokens = 100}).seconds, 50, 1e-6);
}

TEST(TtftModelTest, DecodingIsAStageOfRawBytesOfOneEngine) {
  TtftInputs inputs = Usual();
  inputs.bytes_per_token = 0.5;
  inputs.raw_bytes_per_token = 1;
  inputs.client_bytes_per_s = 10;
  inputs.decode_bytes_per_s = 4;
  const TtftRequest request{.input_tokens = 100, .hit_tokens = 100};
  TtftModel decoding(inputs);
  EXPECT_NEAR(decoding.With(request).seconds, 25, 1e-9);
  EXPECT_NEAR(decoding.With(request).seconds, 25, 1e-9) << "each engine has a decoder of its own";
  inputs.decode_bytes_per_s = 0;
  EXPECT_NEAR(TtftModel(inputs).With(request).seconds, 5, 1e-9) << "half the bytes over the link";
}

TEST(TtftModelTest, LoadsSlowerThanComputingAreDeclinedAndTakeNoBandwidth) {
  TtftInputs inputs = Usual();
  inputs.network_bytes_per_s = 0.5;
  TtftModel model(inputs);
  for (int i = 0; i < 3; ++i) {
    const TtftModel::Answer answer = model.With({.input_tokens = 100, .hit_tokens = 80});
    EXPECT_NEAR(answer.seconds, 100, 1e-9);
    EXPECT_FALSE(answer.loaded);
  }
}

TEST(TtftModelTest, EndlessNodesLeaveTheEnginesLink) {
  TtftInputs inputs = Usual();
  inputs.network_bytes_per_s = inputs.nvme_bytes_per_s = std::numeric_limits<double>::infinity();
  inputs.client_bytes_per_s = 4;
  TtftModel model(inputs);
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(model.With({.input_tokens = 100, .hit_tokens = 100, .nvme_tokens = 100}).seconds, 25, 1e-9);
  }
}

}  // namespace
}  // namespace incipit::bench
