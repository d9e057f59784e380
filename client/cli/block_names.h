// Words for what happened to a block: in tables and in JSON, where they are part of the contract.
#pragma once

#include "incipit/client.h"

namespace incipit {

// "ok", "miss", "present", "conflict", "wanted", "busy", "damaged", "io_error", "expired", "rejected".
const char* BlockStatusName(BlockStatus status);
// "miss", "ram", "nvme".
const char* PresenceName(Presence presence);

}  // namespace incipit
