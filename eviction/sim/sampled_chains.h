// A sample of the blocks of a workload's prompts, where all of them are too many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace incipit {

// Filled request by request, then read from any thread. Of each prompt it holds the blocks that were sampled, and those
// few that are in so many prompts that they are kept always and stand for themselves alone: these are *exact*. Memory:
// 8 bytes for each reference that is held, 8 for each request.
class SampledChains {
 public:
  static constexpr size_t kGroups = 16;  // of sampled blocks, by hash: how much they differ tells the error

  struct Reference {
    uint32_t block = 0;
    uint32_t position : 31 = 0;  // in the whole prompt, in blocks
    uint32_t exact : 1 = 0;
  };

  // `rate`: the share of blocks that are sampled, over 0 and at most 1.
  explicit SampledChains(double rate) : rate_(rate) {}

  // Returns the number of the request.
  size_t Add(std::span<const Reference> references) {
    starts_.push_back(references_.size());
    references_.insert(references_.end(), references.begin(), references.end());
    return starts_.size() - 1;
  }
  std::span<const Reference> Of(size_t request, size_t count) const {
    return std::span(references_).subspan(starts_[request], count);
  }
  double rate() const { return rate_; }
  // A block's group.
  static size_t GroupOf(uint32_t block) { return (block * 0x9e3779b1u) >> 28; }
  static_assert(kGroups == 16, "GroupOf takes 4 bits");

 private:
  double rate_;
  std::vector<uint64_t> starts_;  // by request
  std::vector<Reference> references_;
};

}  // namespace incipit
