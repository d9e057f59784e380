// The regions that one client has registered on one connection, and what its messages name in them.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "transport/owned_fd.h"
#include "transport/shared/control_words.h"
#include "transport/shared/mapped_region.h"
#include "transport/wire/shared_messages.h"

namespace incipit {

struct RegionLimits {
  uint32_t max_regions = 64;
  uint64_t max_bytes = 256ull << 30;  // address space, not memory: pages exist where the client or a load wrote
};

// Memory that a message named, and what keeps it mapped: a region that is forgotten while a job copies stays mapped
// until the job ends.
struct SharedMemory {
  std::vector<iovec> pieces;
  std::vector<std::shared_ptr<const MappedRegion>> regions;
};

// The word of one load, and the pipe that tells the client how long this side can still write.
class LoadGate {
 public:
  LoadGate(std::shared_ptr<const MappedRegion> page, std::shared_ptr<const OwnedFd> pipe, uint32_t slot)
      : page_(std::move(page)), pipe_(std::move(pipe)), slot_(slot) {}
  ControlWord* word() const { return reinterpret_cast<ControlWord*>(page_->base()) + slot_; }

 private:
  std::shared_ptr<const MappedRegion> page_;
  std::shared_ptr<const OwnedFd> pipe_;
  uint32_t slot_;
};

// One thread: the shard's. Everything that comes in is untrusted.
class RegionTable {
 public:
  explicit RegionTable(const RegionLimits& limits) : limits_(limits) {}

  // How many descriptors come with the message.
  static size_t DescriptorsOf(wire::RegionKind kind) { return kind == wire::RegionKind::kMemory ? 1 : 2; }
  // InvalidArgument: the number is taken, or the memory is none that can be trusted not to vanish. ResourceExhausted:
  // over a limit.
  absl::Status Register(const wire::RegisterRegion& message, std::vector<OwnedFd> descriptors);
  // NotFound: no such region.
  absl::Status Forget(uint32_t region_id);

  // NotFound: a region that is not registered. InvalidArgument: a piece outside of its region, or other than
  // `expected_bytes` in all.
  absl::StatusOr<SharedMemory> Resolve(const wire::SharedPlaces& places, uint64_t expected_bytes) const;
  // NotFound: no control page is registered. InvalidArgument: it has no such word.
  absl::StatusOr<LoadGate> GateOf(uint32_t slot) const;

  size_t regions() const { return regions_.size(); }
  uint64_t bytes() const { return bytes_; }

 private:
  absl::Status RegisterControl(const wire::RegisterRegion& message, std::vector<OwnedFd> descriptors);

  RegionLimits limits_;
  uint64_t bytes_ = 0;
  absl::flat_hash_map<uint32_t, std::shared_ptr<const MappedRegion>> regions_;
  std::shared_ptr<const MappedRegion> control_;
  std::shared_ptr<const OwnedFd> pipe_;
};

}  // namespace incipit
