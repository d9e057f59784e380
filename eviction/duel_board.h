// Where shards that run the same duel of policies add up their scores, so that they decide together.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace incipit {

// Any thread: one short critical section per call, some additions for each shard.
class DuelBoard {
 public:
  static constexpr size_t kMostContestants = 8;

  struct Terms {
    double margin = 1;            // by how much a challenger must be better
    uint64_t shortest_reign = 0;  // touches between two changes, of all shards
  };

  // The number of a shard that takes part from now on.
  size_t Join() {
    const std::lock_guard<std::mutex> lock(mutex_);
    scores_.emplace_back();
    return scores_.size() - 1;
  }

  // A shard's scores, and its touches since it last told. Returns the contestant that leads for all.
  size_t Tell(size_t shard, std::span<const double> scores, uint64_t touches, const Terms& terms) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (size_t i = 0; i < scores.size() && i < kMostContestants; ++i) {
      totals_[i] += scores[i] - scores_[shard][i];
      scores_[shard][i] = scores[i];
    }
    touches_since_switch_ += touches;
    if (touches_since_switch_ < terms.shortest_reign) return leader_;
    size_t best = leader_;
    for (size_t i = 0; i < scores.size() && i < kMostContestants; ++i) {
      if (totals_[i] > totals_[best]) best = i;
    }
    if (best == leader_ || totals_[best] < terms.margin * totals_[leader_]) return leader_;
    touches_since_switch_ = 0;
    return leader_ = best;
  }

 private:
  std::mutex mutex_;
  std::vector<std::array<double, kMostContestants>> scores_;  // by shard
  std::array<double, kMostContestants> totals_{};
  uint64_t touches_since_switch_ = 0;
  size_t leader_ = 0;
};

}  // namespace incipit
