// A recording of the latest requests of a node, of which a plan can be made: who asked for which blocks when, without a
// byte of content and without a name.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace incipit {

struct RecordedBlock {
  uint64_t hash = 0;  // of its identity, with a secret of the shard
  uint32_t depth_tokens = 0;

  friend bool operator==(const RecordedBlock&, const RecordedBlock&) = default;
};

// A request's blocks are spread over shards, each of which tells of its part; what has one stamp and one namespace is
// one request. It settles kSettleNs after its first part and is from then on handed out, in the order of first parts,
// any number of times, until later ones need its space: at most `most_bytes` are kept.
//
// Any thread; a call holds the lock while it copies what it takes or hands out, 1 ms at most.
class RequestRecorder {
 public:
  static constexpr int64_t kSettleNs = 2'000'000'000;
  static constexpr uint64_t kMaxPageBlocks = 1 << 17;  // handed out at once; one more request may go beyond

  explicit RequestRecorder(uint64_t most_bytes) : most_bytes_(most_bytes) {}

  struct Part {
    uint64_t stamp_ns = 0;
    uint64_t name_space = 0;  // a number that all shards give the same namespace
    uint32_t block_tokens = 0;
    std::span<const RecordedBlock> blocks;
  };
  void Note(const Part& part, int64_t now_ns);

  struct Page {
    uint64_t next = 0;     // what to ask for afterwards
    uint64_t missed = 0;   // requests from `from` on that were not kept long enough
    uint64_t partial = 0;  // requests on the page of which a part from some block on was not told
    std::string lines;     // of a trace, see docs/planner.md
  };
  // Settled requests from number `from` on; they are numbered from 0.
  Page PageFrom(uint64_t from, int64_t now_ns) const;
  uint64_t KeptBytes() const;

 private:
  struct Key {
    uint64_t stamp_ns = 0, name_space = 0;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.stamp_ns, key.name_space);
    }
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Request {
    Key key;
    int64_t began_ns = 0;
    uint32_t block_tokens = 0;
    std::vector<RecordedBlock> blocks;  // as they were told
    uint64_t Bytes() const { return sizeof(Request) + blocks.capacity() * sizeof(RecordedBlock); }
  };
  void DropOldest();
  std::vector<Request> Copy(uint64_t from, int64_t now_ns, Page* page) const;

  const uint64_t most_bytes_;
  mutable std::mutex mutex_;
  std::deque<Request> requests_;
  uint64_t first_ = 0;  // number of the front one
  uint64_t bytes_ = 0;
  absl::flat_hash_map<Key, uint64_t> open_;  // numbers of those that may still get parts, and of some that may not
};

}  // namespace incipit
