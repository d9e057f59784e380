// What the blocks of one namespace are, and what they are kept as. Plain numbers of the shard's thread.
#pragma once

#include <cstdint>
#include <string>

namespace incipit {

// Of indexed blocks, in either tier. Bytes of their segments: headers are not counted. With a codec, what is stored is
// less than what is raw; a node sees that from the sizes alone.
struct NamespaceUsage {
  uint64_t blocks = 0;
  uint64_t raw_bytes = 0, stored_bytes = 0;
};

// What clients asked for, since the start: keys of Match, those of them that were found, payload that was loaded.
struct NamespaceTraffic {
  uint64_t match_keys = 0, match_hits = 0;
  uint64_t load_bytes = 0;
};

// A copy for metrics.
struct NamespaceReport {
  std::string tenant, model;
  std::string layout;  // its name; the start of its fingerprint where no session has told the name yet
  NamespaceUsage usage;
};

}  // namespace incipit
