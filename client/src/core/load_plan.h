// Splits a Load into requests: by shard, by part of large blocks, by segment range, by bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "client/src/core/call_context.h"

namespace incipit {

// One part of one item: what is asked for, and where its bytes go.
struct LoadPart {
  uint32_t item = 0;
  uint16_t segment_count = 0;       // asked for, within the part
  uint32_t segment_bytes = 0;       // of each of them, raw
  std::span<const iovec> pieces{};  // the item's destination
  uint64_t offset = 0;              // of this part's bytes in it
  uint64_t bytes() const { return uint64_t{segment_count} * segment_bytes; }
};

// One request.
struct LoadBatch {
  uint16_t first_segment = 0;
  uint16_t segment_count = wire::kAllSegments;
  wire::KeyBatch keys;
  std::vector<LoadPart> parts;  // by key
  uint64_t bytes = 0;
  // Answers, by key. kExpired until one came.
  std::vector<BlockStatus> status;
  std::vector<Presence> tier;
};

// InvalidArgument naming item and field: unknown group, key length, a destination that does not hold exactly the bytes
// of the range. Looks at nothing but the request.
absl::Status CheckLoad(const Layout& layout, const LoadRequest& request);

// By shard, each in the order of the items. Holds views of the request's memory. REQUIRES: CheckLoad() was ok.
// `ranks`: at which node each item is asked for; empty: at its owner.
std::vector<std::vector<LoadBatch>> PlanLoad(const CallContext* context, const ShardSet* shards,
                                             const LoadRequest& request, std::span<const uint8_t> ranks = {});

// The tokens that the items span: what computing them again would cover.
uint64_t SpanTokens(const Layout& layout, const LoadRequest& request);

}  // namespace incipit
