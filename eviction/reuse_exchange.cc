#include "eviction/reuse_exchange.h"

#include <algorithm>

namespace incipit {
namespace {

bool Any(const ReuseCounts::ByAge& weights) {
  return std::any_of(weights.begin(), weights.end(), [](float weight) { return weight > 0; });
}

void Add(const ReuseCounts::ByAge& more, ReuseCounts::ByAge* sum) {
  for (int age = 0; age < ReuseCounts::kAges; ++age) (*sum)[age] += more[age];
}

}  // namespace

size_t ReuseExchange::Join() {
  const std::lock_guard<std::mutex> lock(mutex_);
  told_.emplace_back();
  return told_.size() - 1;
}

void ReuseExchange::Trade(size_t shard, ReuseCounts* counts) {
  Told mine{.groups = counts->groups, .blocks = counts->blocks};
  for (const ReuseCounts::Row& row : counts->rows()) {
    if (Any(row.ended) || Any(row.lost) || Any(row.waiting)) mine.rows.push_back(row);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  told_[shard] = std::move(mine);
  counts->shards = told_.size();
  for (size_t other = 0; other < told_.size(); ++other) {
    if (other == shard) continue;
    for (const ReuseCounts::Row& row : told_[other].rows) {
      ReuseCounts::Row& sum = counts->Of(row.klass);
      Add(row.ended, &sum.ended);
      Add(row.lost, &sum.lost);
      Add(row.waiting, &sum.waiting);
    }
    counts->groups += told_[other].groups;
    counts->blocks += told_[other].blocks;
  }
}

}  // namespace incipit
