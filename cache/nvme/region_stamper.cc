#include "cache/nvme/region_stamper.h"

#include <algorithm>
#include <memory>

#include "cache/nvme/pinned_buffer.h"
#include "cache/nvme/store_superblock.h"

namespace incipit {

Task<absl::StatusOr<uint64_t>> RegionStamper::Stamp(uint32_t region) {
  RegionHeader header;
  header.store_id = store_id_;
  header.region = region;
  header.generation = next_generation_++;
  const std::vector<uint8_t> page = header.Encode();
  auto buffer = std::make_shared<PinnedBuffer>(kDiskPageBytes, table_, region);
  std::copy(page.begin(), page.end(), buffer->bytes().begin());
  // Before the header goes out, what was moved from here must be safe elsewhere.
  absl::Status status = co_await device_->Flush();
  if (!status.ok()) co_return status;
  DeviceOpRef write = device_->StartWrite(RegionStart(region, table_->region_bytes()), buffer->bytes(), buffer);
  co_await write->done.Wait();
  if (!write->status.ok()) co_return write->status;
  status = co_await device_->Flush();
  if (!status.ok()) co_return status;
  co_return header.generation;
}

}  // namespace incipit
