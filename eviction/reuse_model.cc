#include "eviction/reuse_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace incipit {
namespace {

constexpr uint64_t kFirstAgeNs = 16'000'000;                          // all below is one age
constexpr uint64_t kFirstRefit = 512, kUsualRefit = 16'384;           // touches between refits; an epoch, if longer
constexpr uint64_t kFirstRefitOfMany = 64, kUsualRefitOfMany = 2048;  // where others' counts are new each time
constexpr uint64_t kRefitsPerEpochOfMany =
    8;                                 // at most: what waits is counted each time, which takes long where much does
constexpr float kPriorHazard = 0.02f;  // per half octave, before anything is known: old blocks are worth less than new
constexpr float kLeanGroups = 4;       // a class leans on its coarser one as if that were so many requests' blocks

// 0, 1, 2, ... for values up to each limit.
template <size_t N>
uint32_t StepOf(uint64_t value, const uint64_t (&limits)[N]) {
  uint32_t step = 0;
  while (step < N && value > limits[step]) ++step;
  return step;
}

// Seconds from the lower end of an age to its upper end.
std::array<float, ReuseModel::kAges> WidthsInSeconds() {
  std::array<float, ReuseModel::kAges> widths{};
  double lower = 0;
  for (int age = 0; age < ReuseModel::kAges; ++age) {
    // Half octaves as AgeOf cuts them: 1, 1.5, 2, 3, 4, 6, ...
    const double upper = kFirstAgeNs * std::exp2(age / 2) * (age % 2 == 0 ? 1.0 : 1.5);
    widths[age] = static_cast<float>((upper - lower) / 1e9);
    lower = upper;
  }
  return widths;
}

}  // namespace

ReuseModel::ReuseModel(uint64_t half_life_touches, std::shared_ptr<ReuseExchange> exchange)
    : least_half_life_(half_life_touches),
      epoch_touches_(std::max<uint64_t>(1, half_life_touches / kEpochsPerHalfLife)),
      next_refit_at_(kFirstRefit),
      refit_step_(kFirstRefit),
      own_(kClasses),
      exchange_(std::move(exchange)),
      curve_of_(kClasses),
      coarse_curves_(kCoarse) {
  if (exchange_ != nullptr) {
    shard_ = exchange_->Join();
    next_refit_at_ = refit_step_ = kFirstRefitOfMany;
  }
  Refit();
}

ReuseModel::ClassId ReuseModel::ClassOf(const ReuseSituation& situation) {
  static constexpr uint64_t kTurnLimits[kTurns - 1] = {0, 1, 2, 4, 8};
  static constexpr uint64_t kTouchLimits[kTouches - 1] = {1, 2, 4, 8};
  static constexpr uint64_t kGapLimits[kGaps - 1] = {0, 10'000'000'000, 60'000'000'000, 300'000'000'000,
                                                     1'800'000'000'000};
  static constexpr uint64_t kOutputLimits[kOutputs - 1] = {32, 256, 1024};
  uint32_t klass = StepOf(situation.turn, kTurnLimits);
  klass = klass * kTouches + StepOf(situation.touches, kTouchLimits);
  klass = klass * kGaps + StepOf(situation.gap_ns, kGapLimits);
  klass = klass * kOutputs + StepOf(situation.output_tokens, kOutputLimits);
  klass = klass * kReasons + static_cast<uint32_t>(situation.end_reason);
  return static_cast<ClassId>(klass);
}

int ReuseModel::AgeOf(uint64_t age_ns) {
  const uint64_t units = age_ns / kFirstAgeNs;
  if (units == 0) return 0;
  const int octave = std::bit_width(units) - 1;
  const int half = octave == 0 ? (age_ns * 2 / kFirstAgeNs) & 1 : (units >> (octave - 1)) & 1;
  return std::min(kAges - 1, 1 + 2 * octave + half);
}

void ReuseModel::TurnEpochOrRefit() {
  if (touches_ >= epoch_began_at_ + epoch_touches_) NextEpoch();
  if (touches_ >= next_refit_at_) {
    const uint64_t usual = exchange_ != nullptr ? std::max(kUsualRefitOfMany, epoch_touches_ / kRefitsPerEpochOfMany)
                                                : std::max(kUsualRefit, epoch_touches_);
    refit_step_ = std::min(usual, 2 * refit_step_);
    next_refit_at_ = touches_ + refit_step_;
    TakeCensus();
    Refit();
  }
  next_event_at_ = std::min(epoch_began_at_ + epoch_touches_, next_refit_at_);
}

void ReuseModel::SetHalfLife(const void* member, uint64_t share_touches) {
  uint64_t half_life_touches = 0;
  for (Member& each : members_) {
    if (each.name == member) each.share_touches = share_touches;
    half_life_touches += each.share_touches;
  }
  epoch_touches_ = std::max<uint64_t>(1, std::max(half_life_touches, least_half_life_) / kEpochsPerHalfLife);
  next_event_at_ = std::min(epoch_began_at_ + epoch_touches_, next_refit_at_);
}

void ReuseModel::Leave(const void* member) {
  std::erase_if(members_, [&](const Member& other) { return other.name == member; });
}

void ReuseModel::NextEpoch() {
  ++epoch_;
  epoch_began_at_ = touches_;
  ended_ = {};
  const float factor = std::exp2(-1.0f / kEpochsPerHalfLife);
  for (ReuseCounts::Row& row : own_.rows()) {
    for (float& weight : row.ended) weight *= factor;
    for (float& weight : row.lost) weight *= factor;
  }
}

float ReuseModel::WeightOf(uint32_t epoch) const {
  static const std::array<float, 512> kWeights = [] {
    std::array<float, 512> weights{};
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = std::exp2(-static_cast<float>(i) / kEpochsPerHalfLife);
    return weights;
  }();
  const uint32_t ago = epoch_ - epoch;
  return ago < kWeights.size() ? kWeights[ago] : 0;
}

void ReuseModel::FindEnded(ClassId klass, uint32_t epoch, uint64_t age_ns) {
  ended_ = {klass, epoch, age_ns, &own_.Of(klass).ended[AgeOf(age_ns)], WeightOf(epoch)};
}

void ReuseModel::TakeCensus() {
  ended_ = {};
  for (ReuseCounts::Row& row : own_.rows()) row.waiting.fill(0);
  own_.groups = own_.blocks = 0;
  for (const Member& member : members_) member.census(this);
}

void ReuseModel::Count(const Waiting& waiting) {
  own_.Of(waiting.klass).waiting[AgeOf(waiting.age_ns)] += static_cast<float>(waiting.blocks) * WeightOf(waiting.epoch);
  ++own_.groups;
  own_.blocks += waiting.blocks;
}

void ReuseModel::Observed::Add(const ReuseCounts::Row& row) {
  for (int age = 0; age < kAges; ++age) {
    ended[age] += row.ended[age];
    censored[age] += row.lost[age] + row.waiting[age];
  }
}

bool ReuseModel::Observed::Empty() const {
  const auto none = [](float weight) { return weight <= 0; };
  return std::all_of(ended.begin(), ended.end(), none) && std::all_of(censored.begin(), censored.end(), none);
}

// Kaplan and Meier with the actuarial correction: who was last seen within an age was at risk for half of it.
ReuseModel::ByAge ReuseModel::HazardOf(const Observed& observed, const ByAge& prior, float lean) {
  ByAge hazard{};
  float at_risk = 0;
  for (int age = kAges - 1; age >= 0; --age) {
    at_risk += observed.ended[age] + observed.censored[age];
    const float exposed = std::max(0.0f, at_risk - observed.censored[age] / 2);
    hazard[age] = std::min(1.0f, (observed.ended[age] + lean * prior[age]) / (exposed + lean));
  }
  return hazard;
}

void ReuseModel::TurnIntoIndex(Curve* curve) {
  static const ByAge kWidths = WidthsInSeconds();
  const ByAge hazard = curve->by_age;
  curve->is_index = true;
  for (int from = 0; from < kAges; ++from) {
    float alive = 1, reused = 0, seconds = 0, best = 0;
    for (int age = from; age < kAges && alive > 1e-3f; ++age) {
      // On average a block is in the middle of its present age.
      const float width = age == from ? kWidths[age] / 2 : kWidths[age];
      const float chance = age == from ? hazard[age] / 2 : hazard[age];
      seconds += alive * width * (1 - chance / 2);
      reused += alive * chance;
      alive *= 1 - chance;
      best = std::max(best, reused / seconds);
    }
    curve->by_age[from] = best;
  }
}

void ReuseModel::Refit() {
  if (exchange_ == nullptr) return Fit(own_);
  ReuseCounts all = own_;
  exchange_->Trade(shard_, &all);
  Fit(all);
}

void ReuseModel::Fit(const ReuseCounts& counts) {
  const float mean_group =
      counts.groups == 0 ? 1.0f : static_cast<float>(counts.blocks) / static_cast<float>(counts.groups);
  const float lean = kLeanGroups * std::max(1.0f, mean_group) * static_cast<float>(counts.shards);
  std::vector<Observed> coarse(kCoarse), middle(kMiddle);
  Observed all;
  for (const ReuseCounts::Row& row : counts.rows()) {
    for (Observed* observed : {&middle[row.klass / kFinePerMiddle], &coarse[row.klass / kFinePerCoarse], &all}) {
      observed->Add(row);
    }
  }
  ByAge prior;
  prior.fill(kPriorHazard);
  const ByAge all_hazard = HazardOf(all, prior, lean);
  std::vector<ByAge> coarse_hazard(kCoarse);
  for (int klass = 0; klass < kCoarse; ++klass) {
    coarse_hazard[klass] = HazardOf(coarse[klass], all_hazard, lean);
    coarse_curves_[klass] = {coarse_hazard[klass]};
  }
  curves_.clear();
  std::fill(curve_of_.begin(), curve_of_.end(), 0);
  for (const ReuseCounts::Row& row : counts.rows()) {
    Observed fine;
    fine.Add(row);
    if (fine.Empty()) continue;
    const ByAge middle_hazard =
        HazardOf(middle[row.klass / kFinePerMiddle], coarse_hazard[row.klass / kFinePerCoarse], lean);
    curves_.push_back({HazardOf(fine, middle_hazard, lean)});
    curve_of_[row.klass] = static_cast<uint16_t>(curves_.size());
  }
}

uint64_t ReuseModel::MemoryBytes() const {
  return own_.MemoryBytes() + (curves_.capacity() + coarse_curves_.capacity()) * sizeof(Curve) +
         curve_of_.capacity() * sizeof(uint16_t);
}

}  // namespace incipit
