// A workload in memory, small: its prompts as paths in one tree of blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "eviction/sim/sampled_chains.h"

namespace incipit {

// Filled by Add, then closed by Finish; from then on immutable and safe to read from any thread.
//
// A block is an id after a parent, so ids of contents and ids of openings both come out right: equal blocks after equal
// beginnings are one. Blocks are numbered from 0 as they first appear. Memory: 4 bytes for each distinct block and 40
// for each request; 20 to 28 for each block until Finish. A trace made for samples holds a part of the blocks; it is
// filled by a PrefixSampler.
class PrefixTrace {
 public:
  using Block = uint32_t;
  static constexpr Block kNone = UINT32_MAX;
  static constexpr uint64_t kMaxBlocks = uint64_t{1} << 31;

  struct Request {
    uint64_t time_ms = 0;
    uint64_t input_tokens = 0;
    uint32_t output_tokens = 0;
    Block last = kNone;   // of its chain; of a sample, its number there
    uint32_t blocks = 0;  // in its chain
  };

  explicit PrefixTrace(uint32_t block_tokens) : block_tokens_(block_tokens) {}
  // For samples.
  PrefixTrace(uint32_t block_tokens, double sampling_rate)
      : block_tokens_(block_tokens), sample_(std::in_place, sampling_rate) {}

  // Room for so many distinct blocks without a pause for growing; a guess may be wrong either way.
  void Reserve(uint64_t blocks);

  // False if the request would make more than kMaxBlocks distinct blocks; it is then not added.
  bool Add(uint64_t time_ms, uint64_t input_tokens, uint64_t output_tokens, std::span<const uint64_t> ids);
  // The same of a sample. `all_blocks`: of the whole prompt.
  bool AddSampled(uint64_t time_ms, uint64_t input_tokens, uint64_t output_tokens, uint64_t all_blocks,
                  std::span<const SampledChains::Reference> chain);
  // Otherwise it is exact, and stands for itself alone.
  Block NewSampledBlock(bool stands_for_others) {
    parents_.push_back(kNone);
    exact_blocks_ += stands_for_others ? 0 : 1;
    return static_cast<Block>(parents_.size() - 1);
  }
  // Sorts the requests by time, those of one time as they were added, and frees what only Add needed.
  void Finish();

  // The blocks of a request from the first to the last.
  void ChainOf(const Request& request, std::vector<Block>* chain) const;

  const std::vector<Request>& requests() const { return requests_; }
  uint32_t block_tokens() const { return block_tokens_; }
  uint64_t unique_blocks() const { return parents_.size(); }
  // Null if the trace holds all blocks.
  const SampledChains* sample() const { return sample_.has_value() ? &*sample_ : nullptr; }
  // Of the whole workload, an estimate where it is sampled; and how many of the trace's blocks stand for so many.
  uint64_t all_unique_blocks() const;
  uint64_t InSample(uint64_t blocks) const;
  uint64_t block_references() const { return block_references_; }
  uint64_t input_tokens() const { return input_tokens_; }
  uint32_t longest_chain() const { return longest_chain_; }
  // Requests that came earlier than one before them in the file.
  uint64_t out_of_order() const { return out_of_order_; }
  uint64_t empty_requests() const { return empty_requests_; }
  // Tokens that `blocks` leading blocks of the request cover.
  uint64_t TokensOf(const Request& request, uint32_t blocks) const {
    const uint64_t tokens = uint64_t{blocks} * block_tokens_;
    return tokens < request.input_tokens ? tokens : request.input_tokens;
  }
  // Where the block at `index` of the request's chain begins in the whole prompt, in blocks.
  uint64_t PositionOf(const Request& request, size_t index) const {
    return sample_.has_value() ? sample_->Of(request.last, request.blocks)[index].position : index;
  }
  // Tokens of all blocks of the prompt, those of a sample too that it does not hold. REQUIRES: sample().
  uint64_t CoveredTokens(const Request& request) const { return covered_tokens_[request.last]; }

 private:
  Block Find(Block parent, uint64_t id) const;
  void Count(uint64_t time_ms, uint64_t input_tokens, uint64_t blocks, uint32_t chain_blocks);
  void AppendNew(Block parent, std::span<const uint64_t> ids);
  void Rehash(size_t slots);

  uint32_t block_tokens_;
  std::vector<Request> requests_;
  std::vector<Block> parents_;  // by block
  std::vector<uint64_t> ids_;   // by block
  std::vector<Block> slots_;    // hash table of blocks by (parent, id)
  uint64_t block_references_ = 0, input_tokens_ = 0, out_of_order_ = 0, empty_requests_ = 0;
  uint64_t newest_time_ms_ = 0;
  uint32_t longest_chain_ = 0;
  std::optional<SampledChains> sample_;
  std::vector<uint64_t> covered_tokens_;  // by the request's number in the sample
  uint64_t exact_blocks_ = 0;             // of a sample
};

}  // namespace incipit
