// What LRU of any size would hit of a stream of requests: a miss-ratio curve, from a sample of bounded size.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "eviction/reuse_distances.h"

namespace incipit {

// Distances of a sample of the blocks, chosen by hash, so that each is followed through all its uses; the share that is
// sampled falls as blocks come, so that at most kMostSampled are known. Blocks in use again and again, shared openings,
// are few and weigh much: those that a look at some of the uses finds often, and those whose weight in the sample would
// distort it, are followed and count for themselves alone. What the weights then miss of the true number of uses
// belongs to such blocks too, and gets the distances that those have. Sampling by hash, and the idea of a correction:
// Waldspurger et al., "Efficient MRC Construction with SHARDS", FAST 2015.
//
// LRU here is leaf-first: the blocks of a request age together, the deepest first. Old uses fade: they count half after
// kHalfLifeUses.
//
// One thread. A use costs some 4 ns, and some 200 ns where the block is followed. Memory: at most 520 KB.
class ReuseCurve {
 public:
  static constexpr size_t kMostSampled = 4096;
  static constexpr size_t kMostShared = 512;
  static constexpr uint64_t kHalfLifeUses = uint64_t{1} << 19;

  // A request uses these blocks, from the first to the last of its prompt. A request that tells of a block again, with
  // the same stamp, is not heard. `blocks`: hashes, evenly spread or not.
  void Use(std::span<const uint64_t> blocks, uint64_t stamp_ns);
  ReuseDistances distances() const;
  uint64_t MemoryBytes() const;

 private:
  struct Followed {
    uint32_t place = 0;  // in the order of last uses
    uint32_t uses_in_window = 0;
    bool shared = false;
    uint64_t stamp_ns = 0;
  };
  // Counts of places in use, as a Fenwick tree.
  class PlaceCounts {
   public:
    explicit PlaceCounts(size_t places) : sums_(places + 1) {}
    void Change(uint32_t place, int32_t by);
    uint32_t AtOrAfter(uint32_t place) const;
    void Clear();
    uint64_t MemoryBytes() const { return sums_.capacity() * sizeof(int32_t); }

   private:
    std::vector<int32_t> sums_;
    int32_t total_ = 0;
  };
  static constexpr size_t kPlaces = 4 * (kMostSampled + kMostShared);
  static constexpr uint64_t kLookEvery = 64;  // uses, on average: the gaps are 1 to 127
  static constexpr uint64_t kLooksPerWindow = 1024;
  static constexpr uint32_t kSharedLooks = 6;  // of a window: from then on a block counts as shared
  static constexpr double kSharedWeight = 0.02;

  bool UseCandidate(uint64_t hash, uint64_t stamp_ns);
  void CountUses(std::span<const uint64_t> blocks, size_t uses);
  void Look(uint64_t hash);
  void EndWindow();
  void Record(const Followed& block);
  void Follow(uint64_t hash, uint64_t stamp_ns);
  void Sample(uint64_t hash);
  void Share(uint64_t hash);
  void ShareNoMore(uint64_t hash);
  void SampleLess();
  void Renumber();
  PlaceCounts& CountsOf(const Followed& block) { return block.shared ? shared_places_ : sampled_places_; }
  double BlocksPerSampled() const;
  bool MayBeFollowed(uint64_t hash) const { return hash < sampled_below_ || shared_filter_[hash >> 51]; }

  absl::flat_hash_map<uint64_t, Followed> followed_;
  std::vector<uint64_t> sampled_;  // a heap, the greatest hash first; those that are shared now stay until they surface
  uint64_t sampled_below_ = UINT64_MAX;
  size_t sampled_count_ = 0, shared_count_ = 0;
  std::bitset<8192> shared_filter_;  // by the upper bits of the hash: most uses need no look-up
  PlaceCounts sampled_places_{kPlaces}, shared_places_{kPlaces};
  uint32_t next_place_ = 0;
  absl::flat_hash_map<uint64_t, uint32_t> looks_;
  uint64_t looks_in_window_ = 0, uses_ = 0, next_look_ = 0;
  std::vector<uint64_t> candidates_;  // of the request in hand
  ReuseDistances distances_;
  std::array<double, ReuseDistances::kSteps> shared_reused_{};  // of shared blocks alone
  double weights_ = 0;                                          // of all uses that were recorded
};

}  // namespace incipit
