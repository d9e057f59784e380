// The prefixes that are loaded most, put together from the hottest blocks of all shards. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "transport/wire/activity_messages.h"

namespace incipit {

// A block as one shard told of it.
struct SeenBlock {
  std::string tenant, model;
  std::string node;  // for people
  wire::HottestBlock block;
};

struct HotPrefix {
  std::string tenant, model;
  std::string key_start;  // of the deepest of its blocks, hexadecimal
  uint64_t tokens = 0;    // up to the end of that block
  uint64_t blocks = 0;    // that were told; there may be more
  uint64_t bytes_per_s = 0;
  uint8_t copies = 0;              // the most of any block
  std::vector<std::string> nodes;  // that told of it, by name
  friend bool operator==(const HotPrefix&, const HotPrefix&) = default;
};

// Nobody sees a chain as a whole: a shard has every so-manieth block, and knows no parents. But what one request loads
// carries one stamp, so blocks of one namespace that were last loaded by the same request are of one prompt. Of these,
// blocks that are loaded at least half as much as the most loaded one are an opening that prompts share; the rest is
// what fewer of them go on with, and is looked at the same way. Hottest first.
std::vector<HotPrefix> HottestPrefixes(const std::vector<SeenBlock>& blocks);

}  // namespace incipit
