// When blocks of one kind come back: hazards of reuse by age, learned from what came back and what still waits, and the
// worth of keeping a block that follows from them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "eviction/policy.h"
#include "eviction/reuse_counts.h"
#include "eviction/reuse_exchange.h"

namespace incipit {

// What is known of a block at its last touch.
struct ReuseSituation {
  uint32_t turn = 0;     // of its conversation; 0 = not known
  uint32_t touches = 1;  // of the block, this one included
  uint64_t gap_ns = 0;   // since the touch before; 0 = there was none
  uint32_t output_tokens = 0;
  EndReason end_reason = EndReason::kUnknown;
  bool operator==(const ReuseSituation&) const = default;
};

// Blocks fall into *classes* by their situation. For each class a Kaplan-Meier estimate over ages since the last touch,
// in steps of half an octave: the hazard of a step is the weight of blocks that were touched again in it over the
// weight of those that came as far; blocks that still wait, evicted or not, count as far as they have come. Classes
// with little behind them lean on coarser ones. Weights halve with every `half_life_touches` touches, by when a block
// began to wait, so the model follows a workload that changes.
//
// The worth of a block is Gittins' index: the best ratio, over all times T that one might keep it, of the probability
// that it is touched within T to the time that it is then expected to stay. Gittins, J. R. Stat. Soc. B 41 (1979).
//
// Policies of one thread may learn together: they join one model, which asks each what still waits with it. Models of
// several threads trade what they counted through a ReuseExchange whenever they fit, and then do so more often.
//
// One thread. No clock. Memory: 20 KB, and 800 bytes for each class that occurs, some hundred of 2,880; with an
// exchange 600 more. To fit costs some 50 us, and 2 us for each class whose index is then asked for; all else a few ns.
class ReuseModel {
 public:
  using ClassId = uint16_t;
  static constexpr int kAges = ReuseCounts::kAges;  // from 16 ms to 12 days
  // Blocks of one class that began to wait in one epoch, as the owner counts them.
  struct Waiting {
    ClassId klass;
    uint32_t epoch;
    uint64_t age_ns;
    uint32_t blocks;
  };

  explicit ReuseModel(uint64_t half_life_touches, std::shared_ptr<ReuseExchange> exchange = nullptr);

  static ClassId ClassOf(const ReuseSituation& situation);
  static int AgeOf(uint64_t age_ns);

  // Who counts what waits; called by Begin, now and then. Its address is its name.
  using Census = std::function<void(ReuseModel* model)>;
  void Join(const void* member, Census census) { members_.push_back({member, std::move(census)}); }
  // Nothing that the member counted waits any more.
  void Leave(const void* member);
  // From now on weights halve with as many touches as all members' shares together, and not before those of the
  // constructor.
  void SetHalfLife(const void* member, uint64_t share_touches);

  // A block was touched and waits from now on. Takes a census of all members and fits anew when it is time.
  void Begin() { Begin(1); }
  // As many calls at once. REQUIRES: blocks <= TouchesLeft().
  void Begin(uint64_t blocks) {
    touches_ += blocks;
    if (touches_ >= next_event_at_) TurnEpochOrRefit();
  }
  // Until Begin next does more than count; at least 1.
  uint64_t TouchesLeft() const { return next_event_at_ > touches_ ? next_event_at_ - touches_ : 1; }
  uint32_t epoch() const { return epoch_; }
  // A block that waited since `epoch` was touched again, or was forgotten.
  void Ended(ClassId klass, uint32_t epoch, uint64_t age_ns) { Ended(klass, epoch, age_ns, 1); }
  // So many of them. Adds one by one: another order of additions is another sum.
  void Ended(ClassId klass, uint32_t epoch, uint64_t age_ns, size_t blocks) {
    if (klass != ended_.klass || epoch != ended_.epoch || age_ns != ended_.age_ns) FindEnded(klass, epoch, age_ns);
    float sum = *ended_.sum;
    for (size_t i = 0; i < blocks; ++i) sum += ended_.weight;
    *ended_.sum = sum;
  }
  void Lost(ClassId klass, uint32_t epoch, uint64_t age_ns) {
    own_.Of(klass).lost[AgeOf(age_ns)] += WeightOf(epoch);
    ended_ = {};
  }

  // For a Census only.
  void Count(const Waiting& waiting);

  // Reuses per second of keeping.
  float Index(ClassId klass, uint64_t age_ns) {
    Curve& curve = curve_of_[klass] != 0 ? curves_[curve_of_[klass] - 1] : coarse_curves_[klass / kFinePerCoarse];
    if (!curve.is_index) TurnIntoIndex(&curve);
    return curve.by_age[AgeOf(age_ns)];
  }
  uint64_t MemoryBytes() const;

 private:
  static constexpr int kTurns = 6, kTouches = 5, kGaps = 6, kOutputs = 4, kReasons = 4;
  static constexpr int kCoarse = kTurns * kTouches;           // classes by turn and touches
  static constexpr int kMiddle = kCoarse * kGaps;             // and by gap
  static constexpr int kFinePerMiddle = kOutputs * kReasons;  // and by output and reason
  static constexpr int kClasses = kMiddle * kFinePerMiddle;
  static constexpr int kFinePerCoarse = kClasses / kCoarse;
  static constexpr int kEpochsPerHalfLife = 16;
  using ByAge = ReuseCounts::ByAge;
  // Weights of blocks by the age at which they were touched again, and at which they were last seen waiting.
  struct Observed {
    ByAge ended{}, censored{};
    void Add(const ReuseCounts::Row& row);
    bool Empty() const;
  };

  // What blocks that were touched with one stamp have in common: they end together, one after the other.
  struct EndedSum {
    ClassId klass = UINT16_MAX;
    uint32_t epoch = 0;
    uint64_t age_ns = 0;
    float* sum = nullptr;
    float weight = 0;
  };
  // The hazard, until somebody asks for the index that follows from it: of most classes nobody does.
  struct Curve {
    ByAge by_age{};
    bool is_index = false;
  };

  float WeightOf(uint32_t epoch) const;
  void FindEnded(ClassId klass, uint32_t epoch, uint64_t age_ns);
  void TurnEpochOrRefit();
  void NextEpoch();
  void TakeCensus();
  void Refit();
  void Fit(const ReuseCounts& counts);
  static ByAge HazardOf(const Observed& observed, const ByAge& prior, float lean);
  static void TurnIntoIndex(Curve* curve);

  struct Member {
    const void* name;
    Census census;
    uint64_t share_touches = 0;  // of the half life
  };
  std::vector<Member> members_;
  uint64_t least_half_life_, epoch_touches_;
  uint64_t touches_ = 0, epoch_began_at_ = 0, next_refit_at_ = 0, refit_step_ = 0;
  uint64_t next_event_at_ = 0;  // the next epoch or refit
  uint32_t epoch_ = 0;
  ReuseCounts own_;
  EndedSum ended_;  // where the last one was added; forgotten when a sum may move or its weight change
  std::shared_ptr<ReuseExchange> exchange_;
  size_t shard_ = 0;                  // in the exchange
  std::vector<Curve> curves_;         // of classes that anything is known of
  std::vector<uint16_t> curve_of_;    // by class: one more than its place there; 0 = nothing is known
  std::vector<Curve> coarse_curves_;  // by class of turn and touches
};

}  // namespace incipit
