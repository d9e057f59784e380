// Memory that a node on the same host can read and write directly: blocks loaded into it or stored from it over
// unix:// are copied once, by the node, and never pass a socket.
//
//   auto pool = SharedRegion::Create(8ull << 30);          // once, where the engine would allocate its pool
//   ... buffers of Load and Store that lie in (*pool)->data() .. + bytes() ...
//
// Nothing else changes: every client of the process finds out by itself which buffers lie in a region. On other lanes,
// and where a node does not take a region (over its limits), the same buffers work by way of the socket.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"

namespace incipit {

struct SharedMapping;

// Owner: the engine. Any thread. Must outlive the calls that use its memory; destroying it gives the memory back at
// once, also while nodes still map it. Nothing of it has a name in the file system, so nothing is left behind by a
// process that is killed. Costs one mapping in each shard of each node that it is used with.
class SharedRegion {
 public:
  // `bytes` are rounded up to whole pages. The memory is zero and not yet faulted in. ResourceExhausted, with the
  // reason.
  static absl::StatusOr<std::unique_ptr<SharedRegion>> Create(uint64_t bytes);
  ~SharedRegion();
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;

  uint8_t* data() const;
  uint64_t bytes() const;

 private:
  explicit SharedRegion(std::shared_ptr<const SharedMapping> mapping);
  std::shared_ptr<const SharedMapping> mapping_;
};

}  // namespace incipit
