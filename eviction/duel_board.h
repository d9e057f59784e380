// Where shards that run the same duel of policies add up their scores, so that they decide together.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace incipit {

// Who leads after `leader`, by scores. The first contestant is the safe one: another takes the lead when it is better
// than both by `margin`, so that noise does not flip it; the first takes it back by `margin_back`, which may be less.
inline size_t DuelWinner(std::span<const double> scores, size_t leader, double margin, double margin_back) {
  size_t best = leader;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > scores[best]) best = i;
  }
  if (best != leader && best != 0 && scores[best] >= margin * std::max(scores[leader], scores[0])) return best;
  return scores[0] > margin_back * scores[leader] ? 0 : leader;
}

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
    const size_t contestants = std::min(scores.size(), kMostContestants);
    // Scores of several shards come late, and not all at a time: either way takes the whole margin.
    const size_t winner = DuelWinner(std::span(totals_).first(contestants), leader_, terms.margin, terms.margin);
    if (winner != leader_) touches_since_switch_ = 0;
    return leader_ = winner;
  }

 private:
  std::mutex mutex_;
  std::vector<std::array<double, kMostContestants>> scores_;  // by shard
  std::array<double, kMostContestants> totals_{};
  uint64_t touches_since_switch_ = 0;
  size_t leader_ = 0;
};

}  // namespace incipit
