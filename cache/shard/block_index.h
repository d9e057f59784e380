// From identity to block. Probes by a 128-bit keyed hash, then compares the whole identity: a collision is a miss.
#pragma once

#include "absl/container/flat_hash_set.h"
#include "cache/base/xxh3.h"
#include "cache/shard/entry.h"

namespace incipit {

// One thread. Stores 4 bytes a block; the hash itself lives in the entry.
class BlockIndex {
 public:
  // Only the low `hash_bits` of hashes count: 128 in production, few in tests that force collisions.
  BlockIndex(EntryTable* entries, int hash_bits)
      : entries_(entries), hash_bits_(hash_bits), ids_(0, Hasher{entries}, Equal{entries}) {}

  Hash128 Trim(Hash128 hash) const;
  // The block whose hash this is, whatever its identity; kNoBlock if none. `hash` is trimmed.
  BlockId Probe(const Hash128& hash) const {
    const auto found = ids_.find(hash);
    return found == ids_.end() ? kNoBlock : *found;
  }
  void Prefetch(const Hash128& hash) const { ids_.prefetch(hash); }
  // Brings the entry that Probe will most likely compare `hash` with on its way: the first whose slot holds the same 7
  // bits of hash, without a look at entries. To be called once the slots that Prefetch asked for are there.
  void PrefetchEntry(const Hash128& hash) const {
    const auto found = ids_.find(Candidate{hash.low});
    if (found != ids_.end()) entries_->Prefetch(*found);
  }
  // REQUIRES: At(id).hash is trimmed and not in the index.
  void Insert(BlockId id) { ids_.insert(id); }
  void Erase(BlockId id) { ids_.erase(id); }
  size_t size() const { return ids_.size(); }
  // A slot is an id and a byte of its hash.
  uint64_t MemoryBytes() const { return ids_.capacity() * (sizeof(BlockId) + 1); }

 private:
  // Equal to whatever has a slot with the same bits of hash.
  struct Candidate {
    uint64_t hash_low;
  };
  struct Hasher {
    using is_transparent = void;
    const EntryTable* entries;
    size_t operator()(const Hash128& hash) const { return hash.low; }
    size_t operator()(const Candidate& candidate) const { return candidate.hash_low; }
    size_t operator()(BlockId id) const { return entries->At(id).hash.low; }
  };
  struct Equal {
    using is_transparent = void;
    const EntryTable* entries;
    bool operator()(BlockId a, BlockId b) const { return a == b; }
    bool operator()(BlockId, const Candidate&) const { return true; }
    bool operator()(const Candidate&, BlockId) const { return true; }
    bool operator()(BlockId id, const Hash128& hash) const { return entries->At(id).hash == hash; }
    bool operator()(const Hash128& hash, BlockId id) const { return entries->At(id).hash == hash; }
  };

  const EntryTable* entries_;
  int hash_bits_;
  absl::flat_hash_set<BlockId, Hasher, Equal> ids_;
};

inline Hash128 BlockIndex::Trim(Hash128 hash) const {
  if (hash_bits_ >= 128) return hash;
  const auto mask = [](int bits) { return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << std::max(bits, 0)) - 1; };
  return {hash.low & mask(hash_bits_), hash.high & mask(hash_bits_ - 64)};
}

}  // namespace incipit
