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
  BlockIndex(EntryTable* entries, int hash_bits) : hash_bits_(hash_bits), ids_(0, Hasher{entries}, Equal{entries}) {}

  Hash128 Trim(Hash128 hash) const;
  // The block whose hash this is, whatever its identity; kNoBlock if none. `hash` is trimmed.
  BlockId Probe(const Hash128& hash) const {
    const auto found = ids_.find(hash);
    return found == ids_.end() ? kNoBlock : *found;
  }
  void Prefetch(const Hash128& hash) const { ids_.prefetch(hash); }
  // REQUIRES: At(id).hash is trimmed and not in the index.
  void Insert(BlockId id) { ids_.insert(id); }
  void Erase(BlockId id) { ids_.erase(id); }
  size_t size() const { return ids_.size(); }
  // A slot is an id and a byte of its hash.
  uint64_t MemoryBytes() const { return ids_.capacity() * (sizeof(BlockId) + 1); }

 private:
  struct Hasher {
    using is_transparent = void;
    const EntryTable* entries;
    size_t operator()(const Hash128& hash) const { return hash.low; }
    size_t operator()(BlockId id) const { return entries->At(id).hash.low; }
  };
  struct Equal {
    using is_transparent = void;
    const EntryTable* entries;
    bool operator()(BlockId a, BlockId b) const { return a == b; }
    bool operator()(BlockId id, const Hash128& hash) const { return entries->At(id).hash == hash; }
    bool operator()(const Hash128& hash, BlockId id) const { return entries->At(id).hash == hash; }
  };

  int hash_bits_;
  absl::flat_hash_set<BlockId, Hasher, Equal> ids_;
};

inline Hash128 BlockIndex::Trim(Hash128 hash) const {
  if (hash_bits_ >= 128) return hash;
  const auto mask = [](int bits) { return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << std::max(bits, 0)) - 1; };
  return {hash.low & mask(hash_bits_), hash.high & mask(hash_bits_ - 64)};
}

}  // namespace incipit
