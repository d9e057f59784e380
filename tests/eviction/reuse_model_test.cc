#include "eviction/reuse_model.h"

#include <gtest/gtest.h>

#include <deque>

namespace incipit {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

TEST(ReuseModelTest, AgesAreHalfOctavesThatGrow) {
  EXPECT_EQ(ReuseModel::AgeOf(0), 0);
  EXPECT_EQ(ReuseModel::AgeOf(15'999'999), 0);
  EXPECT_EQ(ReuseModel::AgeOf(16'000'000), 1);
  EXPECT_EQ(ReuseModel::AgeOf(24'000'000), 2);
  EXPECT_EQ(ReuseModel::AgeOf(32'000'000), 3);
  EXPECT_EQ(ReuseModel::AgeOf(48'000'000), 4);
  int last = 0;
  for (uint64_t age_ns = 1; age_ns < UINT64_MAX / 3; age_ns += age_ns / 3 + 1) {
    EXPECT_GE(ReuseModel::AgeOf(age_ns), last);
    last = ReuseModel::AgeOf(age_ns);
  }
  EXPECT_EQ(ReuseModel::AgeOf(UINT64_MAX), ReuseModel::kAges - 1);
}

TEST(ReuseModelTest, SituationsThatDifferFallIntoClassesThatDiffer) {
  const ReuseSituation usual{.turn = 2, .touches = 2, .gap_ns = 30 * kSecond, .output_tokens = 100};
  ReuseSituation other = usual;
  other.turn = 1;
  EXPECT_NE(ReuseModel::ClassOf(usual), ReuseModel::ClassOf(other));
  other = usual;
  other.touches = 100;
  EXPECT_NE(ReuseModel::ClassOf(usual), ReuseModel::ClassOf(other));
  other = usual;
  other.end_reason = EndReason::kToolCall;
  EXPECT_NE(ReuseModel::ClassOf(usual), ReuseModel::ClassOf(other));
  other = usual;
  other.output_tokens = 101;
  EXPECT_EQ(ReuseModel::ClassOf(usual), ReuseModel::ClassOf(other));
}

// Blocks of two kinds, in steps of a second: one comes back after `gap_s`, the other never does.
class TwoKinds {
 public:
  explicit TwoKinds(ReuseModel* model) : model_(model) {
    model->Join(this, [this](ReuseModel*) {
      for (const auto* kind : {&returning_, &dead_}) {
        for (const auto& [since, epoch] : *kind) {
          model_->Count({kind == &returning_ ? kReturning : kDead, epoch, (now_ - since) * kSecond, 1});
        }
      }
    });
  }
  ~TwoKinds() { model_->Leave(this); }

  void Run(int seconds, uint64_t gap_s, bool swapped = false) {
    for (int i = 0; i < seconds; ++i) {
      ++now_;
      (swapped ? dead_ : returning_).push_back({now_, model_->epoch()});
      model_->Begin();
      (swapped ? returning_ : dead_).push_back({now_, model_->epoch()});
      model_->Begin();
      auto& coming = swapped ? dead_ : returning_;
      while (!coming.empty() && now_ - coming.front().first >= gap_s) {
        model_->Ended(swapped ? kDead : kReturning, coming.front().second, (now_ - coming.front().first) * kSecond);
        coming.pop_front();
      }
    }
  }

  const ReuseModel::ClassId kReturning = ReuseModel::ClassOf({.turn = 2, .touches = 2});
  const ReuseModel::ClassId kDead = ReuseModel::ClassOf({.turn = 1, .touches = 1});

 private:
  ReuseModel* model_;
  uint64_t now_ = 0;
  std::deque<std::pair<uint64_t, uint32_t>> returning_, dead_;
};

TEST(ReuseModelTest, WhatComesBackIsWorthMoreThanWhatDoesNot) {
  ReuseModel model(1 << 18);
  TwoKinds kinds(&model);
  kinds.Run(20'000, 20);
  EXPECT_GT(model.Index(kinds.kReturning, kSecond), 20 * model.Index(kinds.kDead, kSecond));
  // Near its time a block is worth more; past it, next to nothing.
  EXPECT_GT(model.Index(kinds.kReturning, 15 * kSecond), model.Index(kinds.kReturning, kSecond));
  EXPECT_LT(model.Index(kinds.kReturning, 100 * kSecond), model.Index(kinds.kReturning, kSecond));
  // Certain to be used within 20 s: about one use per 20 s of keeping.
  EXPECT_NEAR(model.Index(kinds.kReturning, kSecond), 1.0 / 20, 0.02);
}

TEST(ReuseModelTest, FollowsAWorkloadThatChanges) {
  ReuseModel model(1 << 12);
  TwoKinds kinds(&model);
  kinds.Run(20'000, 20);
  kinds.Run(60'000, 20, /*swapped=*/true);
  EXPECT_GT(model.Index(kinds.kDead, kSecond), 5 * model.Index(kinds.kReturning, kSecond));
}

TEST(ReuseModelTest, BeforeItKnowsAnythingOldBlocksAreWorthLess) {
  ReuseModel model(1000);
  const ReuseModel::ClassId klass = ReuseModel::ClassOf({});
  float last = model.Index(klass, kSecond);
  EXPECT_GT(last, 0);
  for (uint64_t age_s = 2; age_s < 10'000; age_s *= 2) {
    EXPECT_LE(model.Index(klass, age_s * kSecond), last);
    last = model.Index(klass, age_s * kSecond);
  }
}

TEST(ReuseModelTest, WeightsHalveByTheBlocksOfAllMembers) {
  constexpr uint64_t kHalfLife = 1600;  // 16 epochs
  ReuseModel model(kHalfLife);
  const int one = 1, other = 2;
  model.Join(&one, [](ReuseModel*) {});
  model.Join(&other, [](ReuseModel*) {});
  const auto epochs_in = [&](int touches) {
    const uint32_t before = model.epoch();
    for (int i = 0; i < touches; ++i) model.Begin();
    return model.epoch() - before;
  };
  EXPECT_EQ(epochs_in(1000), 10u);
  model.SetHalfLife(&one, kHalfLife);
  model.SetHalfLife(&other, 3 * kHalfLife);
  EXPECT_EQ(epochs_in(4000), 10u);
  model.SetHalfLife(&other, 0);
  model.SetHalfLife(&one, 1);
  EXPECT_EQ(epochs_in(1000), 10u) << "never less than it was made with";
}

// Sums that are found once for many blocks must not outlive the epoch whose weight they have.
TEST(ReuseModelTest, BlocksThatEndTogetherWeighWhatTheyWeighAlone) {
  const ReuseModel::ClassId kind = ReuseModel::ClassOf({.turn = 1, .touches = 1});
  const ReuseModel::ClassId between = ReuseModel::ClassOf({.turn = 3, .touches = 2});
  ReuseModel together(160), apart(160);
  for (int i = 0; i < 20'000; ++i) {
    for (ReuseModel* model : {&together, &apart}) model->Begin();
    together.Ended(kind, 0, kSecond);
    together.Lost(between, 0, kSecond);
    apart.Lost(between, 0, kSecond);
    apart.Ended(kind, 0, kSecond);
  }
  EXPECT_EQ(together.Index(kind, kSecond / 2), apart.Index(kind, kSecond / 2));
  EXPECT_EQ(together.Index(between, kSecond / 2), apart.Index(between, kSecond / 2));
}

}  // namespace
}  // namespace incipit
