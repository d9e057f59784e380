// What a StagedRead holds. Internal to cache/nvme.
#pragma once

#include <memory>
#include <vector>

#include "cache/nvme/nvme_tier.h"
#include "cache/nvme/region_reader.h"

namespace incipit {

struct StagedRead::State {
  std::shared_ptr<WindowRead> read;
  ByteView header;
  std::vector<iovec> payload;
};

}  // namespace incipit
