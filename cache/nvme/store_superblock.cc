#include "cache/nvme/store_superblock.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/nvme/nvme_tier.h"

namespace incipit {
namespace {

constexpr uint32_t kMinRegions = 4;  // open, reserve, spare and one to keep something in

enum class Finding : uint8_t { kValid, kBlank, kDamaged, kUnknownVersion, kAlien };

struct Copy {
  Finding finding = Finding::kBlank;
  Superblock superblock;
  absl::Status status;
};

Copy Classify(ByteView page) {
  Copy copy;
  absl::StatusOr<Superblock> decoded = Superblock::Decode(page);
  copy.status = decoded.status();
  if (decoded.ok()) {
    copy.finding = Finding::kValid;
    copy.superblock = *decoded;
  } else if (absl::IsFailedPrecondition(decoded.status())) {
    copy.finding = Finding::kUnknownVersion;
  } else if (std::all_of(page.begin(), page.end(), [](uint8_t byte) { return byte == 0; })) {
    copy.finding = Finding::kBlank;
  } else {
    uint32_t magic = 0;
    std::memcpy(&magic, page.data(), sizeof(magic));
    copy.finding = magic == kSuperblockMagic ? Finding::kDamaged : Finding::kAlien;
  }
  return copy;
}

absl::Status CheckMatches(const Superblock& found, const NvmeOptions& options) {
  auto differs = [](const char* field, uint64_t on_device, uint64_t configured) {
    return absl::FailedPreconditionError(absl::StrCat("NVMe store: made with ", field, " ", on_device,
                                                      ", configured is ", configured,
                                                      "; set it back, or erase the store to begin anew"));
  };
  if (found.shard_count != options.shard_count) return differs("shard_count", found.shard_count, options.shard_count);
  if (found.shard != options.shard) return differs("shard", found.shard, options.shard);
  if (found.region_bytes != options.region_bytes)
    return differs("region_bytes", found.region_bytes, options.region_bytes);
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> RegionCountFor(uint64_t capacity_bytes, uint64_t region_bytes) {
  if (region_bytes < kMinRegionBytes || region_bytes > kMaxRegionBytes || region_bytes % kDiskPageBytes != 0) {
    return absl::InvalidArgumentError(absl::StrCat("NVMe region_bytes is ", region_bytes, ", allowed: a multiple of ",
                                                   kDiskPageBytes, " from ", kMinRegionBytes, " to ", kMaxRegionBytes));
  }
  const uint64_t room = capacity_bytes > kFirstRegionOffset ? capacity_bytes - kFirstRegionOffset : 0;
  const uint64_t count = std::min<uint64_t>(room / region_bytes, std::numeric_limits<uint32_t>::max() - 1);
  if (count < kMinRegions) {
    return absl::FailedPreconditionError(
        absl::StrCat("NVMe store of ", capacity_bytes, " bytes holds ", count, " regions of ", region_bytes,
                     " bytes, at least ", kMinRegions, " are needed: make it ",
                     kFirstRegionOffset + kMinRegions * region_bytes, " bytes or lower region_bytes"));
  }
  return static_cast<uint32_t>(count);
}

// The superblock to go on with; nothing if a new store is to be made.
absl::StatusOr<const Copy*> Choose(const Copy& first, const Copy& second) {
  if (first.finding == Finding::kUnknownVersion) return first.status;
  if (first.finding == Finding::kValid) return &first;
  if (second.finding == Finding::kUnknownVersion) return second.status;
  if (second.finding == Finding::kValid) return &second;
  // A blank or half-made store. A damaged magic with no valid copy could be anything: leave it alone.
  const bool ours = first.finding == Finding::kDamaged || second.finding == Finding::kDamaged;
  const bool blank = first.finding == Finding::kBlank && second.finding == Finding::kBlank;
  if (ours || blank) return nullptr;
  return absl::FailedPreconditionError(
      "NVMe store: the device holds data that is not a store of this system; choose another path, or erase its first "
      "1 MiB (dd if=/dev/zero bs=1M count=1) if it may be overwritten");
}

Superblock NewSuperblock(Random* random, const NvmeOptions& options, int64_t wall_ns) {
  Superblock superblock;
  random->Fill(superblock.store_id);
  superblock.shard = options.shard;
  superblock.shard_count = options.shard_count;
  superblock.region_bytes = options.region_bytes;
  superblock.created_unix_ns = static_cast<uint64_t>(std::max<int64_t>(wall_ns, 0));
  return superblock;
}

Task<absl::Status> WriteCopies(Device* device, std::shared_ptr<AlignedBuffer> buffer, Superblock superblock) {
  const std::vector<uint8_t> page = superblock.Encode();
  std::copy(page.begin(), page.end(), buffer->bytes().begin());
  // One after the other, so that a loss of power damages at most one.
  for (const uint64_t offset : {kSuperblockCopyOffset, kSuperblockOffset}) {
    DeviceOpRef write = device->StartWrite(offset, buffer->bytes().first(kDiskPageBytes), buffer);
    co_await write->done.Wait();
    if (!write->status.ok()) co_return write->status;
    absl::Status flushed = co_await device->Flush();
    if (!flushed.ok()) co_return flushed;
  }
  co_return absl::OkStatus();
}

}  // namespace

Task<absl::StatusOr<OpenedStore>> OpenStore(Device* device, Random* random, const NvmeOptions* options,
                                            int64_t wall_ns) {
  absl::StatusOr<uint32_t> region_count = RegionCountFor(device->CapacityBytes(), options->region_bytes);
  if (!region_count.ok()) co_return region_count.status();
  auto buffer = std::make_shared<AlignedBuffer>(2 * kDiskPageBytes);
  DeviceOpRef read = device->StartRead(kSuperblockOffset, buffer->bytes(), buffer);
  co_await read->done.Wait();
  if (!read->status.ok()) co_return read->status;
  const Copy first = Classify(buffer->bytes().first(kDiskPageBytes));
  const Copy second = Classify(buffer->bytes().subspan(kDiskPageBytes));
  absl::StatusOr<const Copy*> chosen = Choose(first, second);
  if (!chosen.ok()) co_return chosen.status();

  OpenedStore store;
  store.created = *chosen == nullptr;
  if (store.created) {
    store.superblock = NewSuperblock(random, *options, wall_ns);
  } else {
    store.superblock = (*chosen)->superblock;
    absl::Status matches = CheckMatches(store.superblock, *options);
    if (!matches.ok()) co_return matches;
  }
  // The device may have grown since. It may not have shrunk: should it grow back later, what its far regions held would
  // return, removed blocks among it.
  if (!store.created && *region_count < store.superblock.region_count) {
    co_return absl::FailedPreconditionError(absl::StrCat("NVMe store: made with ", store.superblock.region_count,
                                                         " regions, the device now holds ", *region_count,
                                                         "; give it its size back, or erase the store to begin anew"));
  }
  const bool resized = store.superblock.region_count != *region_count;
  store.superblock.region_count = *region_count;
  if (resized || first.finding != Finding::kValid || second.finding != Finding::kValid) {
    absl::Status written = co_await WriteCopies(device, buffer, store.superblock);
    if (!written.ok()) co_return written;
  }
  co_return store;
}

}  // namespace incipit
