// Asks a node for what it has recorded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace incipit {

struct RecordingPage {
  uint64_t next = 0;     // number to ask from afterwards
  uint64_t missed = 0;   // requests that the node kept no longer
  uint64_t partial = 0;  // of those on the page, those told in part
  uint64_t requests = 0;
  std::string lines;  // of a trace
};

// `body` as /recording answers. InvalidArgument: it is none.
absl::StatusOr<RecordingPage> ParseRecordingPage(std::string_view body);

// From the node whose --http is `address`, "127.0.0.1:9401". Unavailable: nobody answers there within seconds.
// FailedPrecondition: the node records nothing.
absl::StatusOr<RecordingPage> FetchRecordingPage(const std::string& address, uint64_t from);

}  // namespace incipit
