// What a client knows, for a moment, of blocks that lie at more nodes than their owner. decision 021.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_map.h"

namespace incipit {

// Ranks are those of ShardSet; bit r of `ranks` is rank r.
struct KnownCopies {
  static constexpr uint8_t kOwner = 1;
  uint8_t ranks = kOwner;       // where the block is, as far as was seen
  uint8_t wanted = 0;           // how many copies the owner wants beside it; 0: it is not hot
  std::optional<uint8_t> turn;  // at the copies, for the next load
  int64_t known_ns = 0;
  int64_t copied_ns = 0;  // when this client last set out to make copies; 0: never

  bool at(size_t rank) const { return (ranks >> rank & 1) != 0; }
  int places() const { return std::popcount(ranks); }
};

// One thread: the loop's. Blocks are told apart by the 64 bits that placement hashes them to: this is advice, and a
// load that follows wrong advice misses and asks the owner. At most kMaxBlocks of about 40 bytes.
class CopyTable {
 public:
  static constexpr size_t kMaxBlocks = 65'536;
  static constexpr int64_t kKeepNs = 5'000'000'000;  // then it must be learned anew

  // What a match has just seen.
  void Note(uint64_t block, uint8_t ranks, uint8_t wanted, int64_t now_ns, std::optional<uint8_t> turn = {}) {
    if (blocks_.size() >= kMaxBlocks && !blocks_.contains(block)) MakeRoom(now_ns);
    KnownCopies& known = blocks_[block];
    known.ranks = ranks;
    known.wanted = wanted;
    known.turn = turn;
    known.known_ns = now_ns;
  }
  // Null: nothing, or nothing that still counts. Valid until the next call of Note.
  KnownCopies* Find(uint64_t block, int64_t now_ns) {
    if (blocks_.empty()) return nullptr;
    const auto found = blocks_.find(block);
    if (found == blocks_.end() || now_ns - found->second.known_ns > kKeepNs) return nullptr;
    return &found->second;
  }
  void Add(uint64_t block, size_t rank, bool here) {
    const auto found = blocks_.find(block);
    if (found == blocks_.end()) return;
    const auto bit = static_cast<uint8_t>(1u << rank);
    found->second.ranks = here ? found->second.ranks | bit : found->second.ranks & static_cast<uint8_t>(~bit);
  }
  void Forget(uint64_t block) { blocks_.erase(block); }
  size_t size() const { return blocks_.size(); }

 private:
  void MakeRoom(int64_t now_ns) {
    absl::erase_if(blocks_, [&](const auto& entry) { return now_ns - entry.second.known_ns > kKeepNs; });
    if (blocks_.size() >= kMaxBlocks) blocks_.clear();
  }

  absl::flat_hash_map<uint64_t, KnownCopies> blocks_;
};

}  // namespace incipit
