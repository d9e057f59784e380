#include "client/cli/block_names.h"

namespace incipit {

const char* BlockStatusName(BlockStatus status) {
  switch (status) {
    case BlockStatus::kOk:
      return "ok";
    case BlockStatus::kMiss:
      return "miss";
    case BlockStatus::kPresent:
      return "present";
    case BlockStatus::kConflict:
      return "conflict";
    case BlockStatus::kWanted:
      return "wanted";
    case BlockStatus::kBusy:
      return "busy";
    case BlockStatus::kDamaged:
      return "damaged";
    case BlockStatus::kIoError:
      return "io_error";
    case BlockStatus::kExpired:
      return "expired";
    case BlockStatus::kRejected:
      return "rejected";
  }
  return "unknown";
}

const char* PresenceName(Presence presence) {
  switch (presence) {
    case Presence::kMiss:
      return "miss";
    case Presence::kRam:
      return "ram";
    case Presence::kNvme:
      return "nvme";
  }
  return "unknown";
}

}  // namespace incipit
