// What the statuses of parts and the failures of requests mean for a block.
#pragma once

#include "absl/status/status.h"
#include "transport/wire/messages.h"

namespace incipit {

// Worse is larger. kPresent is the smallest: the status to start from when the parts of a block are merged.
inline int Severity(wire::BlockStatus status) {
  switch (status) {
    case wire::BlockStatus::kPresent:
      return 0;
    case wire::BlockStatus::kOk:
      return 1;
    case wire::BlockStatus::kWanted:
      return 2;
    case wire::BlockStatus::kConflict:
      return 3;
    case wire::BlockStatus::kMiss:
      return 4;
    case wire::BlockStatus::kBusy:
      return 5;
    case wire::BlockStatus::kExpired:
      return 6;
    case wire::BlockStatus::kDamaged:
      return 7;
    case wire::BlockStatus::kIoError:
      return 8;
    case wire::BlockStatus::kRejected:
      return 9;
  }
  return 9;
}

inline void MergeStatus(wire::BlockStatus* into, wire::BlockStatus status) {
  if (Severity(status) > Severity(*into)) *into = status;
}

// The status of blocks whose request failed as a whole.
inline wire::BlockStatus StatusOfFailure(const absl::Status& failure) {
  if (absl::IsResourceExhausted(failure)) return wire::BlockStatus::kBusy;
  if (absl::IsUnavailable(failure) || absl::IsDeadlineExceeded(failure)) return wire::BlockStatus::kExpired;
  return wire::BlockStatus::kRejected;
}

// The shard was not reached, or did not answer.
inline bool IsUnreachable(const absl::Status& failure) {
  return absl::IsUnavailable(failure) || absl::IsDeadlineExceeded(failure);
}

}  // namespace incipit
