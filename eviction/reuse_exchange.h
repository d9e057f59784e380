// Where reuse models of several shards tell each other what they have seen, so that each learns from all.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "eviction/reuse_counts.h"

namespace incipit {

// Any thread: a call copies or adds 600 bytes for each class that a shard knows, some hundred of them, under a lock.
// A model calls it once in thousands of touches. Memory: as much for each shard.
class ReuseExchange {
 public:
  // The number of a shard that takes part from now on.
  size_t Join();
  // What `shard` has seen, in place of what it told last; and adds to it what all others told last.
  void Trade(size_t shard, ReuseCounts* counts);

 private:
  struct Told {
    std::vector<ReuseCounts::Row> rows;
    uint64_t groups = 0, blocks = 0;
  };
  std::mutex mutex_;
  std::vector<Told> told_;  // by shard
};

}  // namespace incipit
