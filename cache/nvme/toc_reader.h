// Reads back the table of contents of a sealed region.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/format/region.h"
#include "cache/nvme/device.h"
#include "cache/nvme/region_table.h"

namespace incipit {

// Reads one page of a region, e.g. its header or footer, trying a few times.
Task<absl::Status> ReadRegionPage(Device* device, RegionTable* table, uint32_t region, uint64_t offset,
                                  std::vector<uint8_t>* page);

// Is this the footer of this life of the region?
bool FooterMatches(const RegionFooter& footer, const std::array<uint8_t, 16>& store_id, uint32_t region,
                   uint64_t generation);

// The entries that `footer` points to. DataLoss: damaged, or not what the footer says. Others: the device's.
Task<absl::StatusOr<std::vector<TocEntry>>> ReadToc(Device* device, RegionTable* table, RegionFooter footer);

}  // namespace incipit
