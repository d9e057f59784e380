// Finding or making a store on a device: two copies of the superblock in the space before the first region.
#pragma once

#include "absl/status/statusor.h"
#include "cache/format/region.h"
#include "cache/nvme/device.h"

namespace incipit {

struct NvmeOptions;

inline constexpr uint64_t kSuperblockOffset = 0;
inline constexpr uint64_t kSuperblockCopyOffset = kDiskPageBytes;
inline constexpr uint64_t kScratchPageOffset = 2 * kDiskPageBytes;  // written and read back by the device's probe

struct OpenedStore {
  Superblock superblock;
  bool created = false;
};

// Reads the superblock, or its copy if the first is damaged, or makes a new store on a blank device or one whose
// superblocks are both damaged. Puts both copies right. FailedPrecondition: an unknown version, another shard,
// shard count or region size, a device too small, or data that is not ours: nothing is written then.
Task<absl::StatusOr<OpenedStore>> OpenStore(Device* device, Random* random, const NvmeOptions* options,
                                            int64_t wall_ns);

// Byte on the device where `region` begins.
inline uint64_t RegionStart(uint32_t region, uint64_t region_bytes) {
  return kFirstRegionOffset + uint64_t{region} * region_bytes;
}

}  // namespace incipit
