// A workload in memory, small: its prompts as paths in one tree of blocks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace incipit {

// Filled by Add, then closed by Finish; from then on immutable and safe to read from any thread.
//
// A block is an id after a parent, so ids of contents and ids of openings both come out right: equal blocks after equal
// beginnings are one. Blocks are numbered from 0 as they first appear. Memory: 4 bytes for each distinct block and 40
// for each request; 20 to 28 for each block until Finish.
class PrefixTrace {
 public:
  using Block = uint32_t;
  static constexpr Block kNone = UINT32_MAX;
  static constexpr uint64_t kMaxBlocks = uint64_t{1} << 31;

  struct Request {
    uint64_t time_ms = 0;
    uint64_t input_tokens = 0;
    uint32_t output_tokens = 0;
    Block last = kNone;   // of its chain
    uint32_t blocks = 0;  // in its chain
  };

  explicit PrefixTrace(uint32_t block_tokens) : block_tokens_(block_tokens) {}

  // Room for so many distinct blocks without a pause for growing; a guess may be wrong either way.
  void Reserve(uint64_t blocks);

  // False if the request would make more than kMaxBlocks distinct blocks; it is then not added.
  bool Add(uint64_t time_ms, uint64_t input_tokens, uint64_t output_tokens, std::span<const uint64_t> ids);
  // Sorts the requests by time, those of one time as they were added, and frees what only Add needed.
  void Finish();

  // The blocks of a request from the first to the last.
  void ChainOf(const Request& request, std::vector<Block>* chain) const;

  const std::vector<Request>& requests() const { return requests_; }
  uint32_t block_tokens() const { return block_tokens_; }
  uint64_t unique_blocks() const { return parents_.size(); }
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

 private:
  Block Find(Block parent, uint64_t id) const;
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
};

}  // namespace incipit
