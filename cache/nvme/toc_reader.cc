#include "cache/nvme/toc_reader.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "cache/base/xxh3.h"
#include "cache/nvme/pinned_buffer.h"
#include "cache/nvme/store_superblock.h"

namespace incipit {
namespace {

constexpr int kReadTries = 3;

// A new buffer for each try: one that timed out still belongs to its operation.
Task<absl::Status> ReadRange(Device* device, RegionTable* table, uint32_t region, uint64_t offset, uint64_t bytes,
                             std::shared_ptr<PinnedBuffer>* out) {
  absl::Status status;
  for (int i = 0; i < kReadTries; ++i) {
    auto buffer = std::make_shared<PinnedBuffer>(bytes, table, region);
    const uint64_t at = RegionStart(region, table->region_bytes()) + offset;
    DeviceOpRef read = device->StartRead(at, buffer->bytes(), buffer);
    co_await read->done.Wait();
    status = read->status;
    if (status.ok()) {
      *out = std::move(buffer);
      break;
    }
  }
  co_return status;
}

}  // namespace

Task<absl::Status> ReadRegionPage(Device* device, RegionTable* table, uint32_t region, uint64_t offset,
                                  std::vector<uint8_t>* page) {
  std::shared_ptr<PinnedBuffer> buffer;
  absl::Status status = co_await ReadRange(device, table, region, offset, kDiskPageBytes, &buffer);
  if (status.ok()) page->assign(buffer->bytes().begin(), buffer->bytes().end());
  co_return status;
}

bool FooterMatches(const RegionFooter& footer, const std::array<uint8_t, 16>& store_id, uint32_t region,
                   uint64_t generation) {
  return footer.store_id == store_id && footer.region == region && footer.generation == generation;
}

Task<absl::StatusOr<std::vector<TocEntry>>> ReadToc(Device* device, RegionTable* table, RegionFooter footer) {
  const uint64_t footer_offset = table->region_bytes() - kDiskPageBytes;
  if (footer.toc_offset > footer_offset || footer.toc_bytes > footer_offset - footer.toc_offset) {
    co_return absl::DataLossError(absl::StrCat("region ", footer.region, ": table of contents of ", footer.toc_bytes,
                                               " bytes at ", footer.toc_offset, " does not end by ", footer_offset));
  }
  if (footer.toc_bytes == 0) co_return std::vector<TocEntry>{};
  std::shared_ptr<PinnedBuffer> buffer;
  const uint64_t padded_bytes = AlignUp(footer.toc_bytes, kDiskPageBytes);
  absl::Status status = co_await ReadRange(device, table, footer.region, footer.toc_offset, padded_bytes, &buffer);
  if (!status.ok()) co_return status;
  const ByteView toc = buffer->bytes().first(footer.toc_bytes);
  if (Xxh3Of(toc) != footer.toc_checksum) {
    co_return absl::DataLossError(absl::StrCat("region ", footer.region, ": table of contents has a wrong checksum"));
  }
  co_return DecodeToc(toc, footer.entry_count, table->region_bytes());
}

}  // namespace incipit
