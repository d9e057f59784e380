#include "bench/replay/capacity.h"

#include <algorithm>
#include <cmath>

#include "cache/format/identity.h"
#include "cache/format/record.h"
#include "cache/format/region.h"
#include "cache/nvme/nvme_tier.h"
#include "cache/ram/arena.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kArenaStepBytes = 4 * kMiB;  // arenas are whole multiples of it
constexpr uint64_t kRegionsPerShard = 64;
constexpr uint64_t kRegionStepBytes = 64 * kKiB;
constexpr uint64_t kRecordsPerRegion = 16;  // at least: the rest of a region that no record fits into is lost
constexpr uint64_t kKeptRegions = 3;        // that the tier keeps free for its own work
// Of a region, what headers, tables of contents and the gap before the end leave to records, by the tier's estimate.
constexpr double kRegionFill = 0.97;

}  // namespace

BlockShape ShapeOf(const Layout& layout, const std::string& tenant, const std::string& model, size_t key_bytes) {
  const GroupSpec& group = layout.groups[0];
  const size_t identity_bytes =
      FrameNamespace({tenant, model, layout.Fingerprint()}).size() + kFramedBlockFieldsBytes + key_bytes;
  return {group.BlockBytes(), group.BlockBytes() + RecordHeader::HeaderBytesFor(identity_bytes, group.SegmentCount())};
}

uint64_t RamBytesFor(uint64_t blocks, const BlockShape& shape, uint16_t shards) {
  const uint64_t per_shard = blocks * Arena::AllocatedBytesFor(shape.record_bytes) / shards;
  const uint64_t steps = (per_shard + kArenaStepBytes / 2) / kArenaStepBytes;
  return std::max<uint64_t>(steps, 1) * kArenaStepBytes * shards;
}

uint64_t RegionBytesFor(uint64_t nvme_bytes, const BlockShape& shape, uint16_t shards) {
  const uint64_t wanted = std::max(nvme_bytes / shards / kRegionsPerShard, kRecordsPerRegion * shape.record_bytes);
  const NvmeOptions usual;
  return std::clamp(AlignUp(wanted, kRegionStepBytes), std::max(kMinRegionBytes, kMiB), usual.region_bytes);
}

NvmeSizes NvmeSizesFor(uint64_t blocks, const BlockShape& shape, uint16_t shards) {
  const uint64_t needed = (blocks + shards - 1) / shards * AlignUp(shape.record_bytes, kRecordAlign);
  NvmeSizes sizes;
  sizes.region_bytes = RegionBytesFor(needed * shards, shape, shards);
  const double useful = NvmeOptions().fill_limit * kRegionFill * static_cast<double>(sizes.region_bytes);
  const auto regions = static_cast<uint64_t>(std::ceil(static_cast<double>(needed) / useful)) + kKeptRegions;
  sizes.nvme_bytes = (kFirstRegionOffset + std::max<uint64_t>(regions, 5) * sizes.region_bytes) * shards;
  return sizes;
}

}  // namespace incipit::bench
