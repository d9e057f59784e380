// The blocks of one prompt in every group of a layout, with keys and the seeds of their payload.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/format/identity.h"
#include "cache/format/layout.h"
#include "incipit/client.h"

namespace incipit::bench {

// One block that is stored or loaded.
struct PlannedBlock {
  GroupIndex group = 0;
  uint32_t index = 0;  // within its group's chain
  uint32_t depth_tokens = 0;
  uint64_t bytes = 0;
  uint64_t seed = 0;  // of its payload
};

// Plain data; immutable once made.
struct BlockSet {
  Layout layout;
  uint64_t tokens = 0;                      // a multiple of layout.RestoreStepTokens()
  std::vector<std::vector<BlockKey>> keys;  // by group: the whole chain
  std::vector<PlannedBlock> blocks;         // what a restore of all tokens needs, group by group, in chain order
  uint64_t bytes = 0;                       // of these blocks

  using KeyOf = std::function<BlockKey(GroupIndex group, uint32_t index)>;
  // REQUIRES: layout.Validate().ok(). `tokens` is rounded down to a multiple of the restore step.
  static BlockSet Make(const Layout& layout, uint64_t tokens, const KeyOf& key_of);

  ByteView KeyOfBlock(const PlannedBlock& block) const { return keys[block.group][block.index].bytes(); }
  // Views into this set.
  std::vector<KeyList> KeyLists() const;
};

// Fewest tokens whose restore takes at least `bytes`: a multiple of the restore step, at least one step.
uint64_t TokensForBytes(const Layout& layout, uint64_t bytes);

// A 32-byte key, as SHA-256 chains have, made of two numbers; the same numbers give the same key everywhere.
BlockKey SyntheticKey(uint64_t space, uint64_t number);

// Cuts `blocks` into runs of at most `bytes` each, and at least one block.
std::vector<std::span<const PlannedBlock>> CutIntoBatches(std::span<const PlannedBlock> blocks, uint64_t bytes);

}  // namespace incipit::bench
