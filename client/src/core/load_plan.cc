#include "client/src/core/load_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cache/base/piece_cursor.h"
#include "cache/base/status_macros.h"
#include "client/src/core/key_batches.h"

namespace incipit {
namespace {

// Large enough to make the cost of a request small, small enough to let others in between.
constexpr uint64_t kLoadBatchBytes = 8 * kMiB;

std::span<const iovec> PiecesOf(const LoadItem& item) {
  return item.pieces.empty() ? std::span<const iovec>(&item.buffer, 1) : item.pieces;
}

// Segments of the request's range that a block of `group` has.
uint32_t SegmentsInRange(const GroupSpec& group, const LoadRequest& request) {
  const uint32_t all = group.SegmentCount();
  if (request.first_segment >= all) return 0;
  return std::min<uint32_t>(request.segment_count, all - request.first_segment);
}

class Planner {
 public:
  Planner(const CallContext* context, const ShardSet* shards, const LoadRequest* request,
          std::span<const uint8_t> ranks)
      : context_(context), shards_(shards), request_(request), ranks_(ranks), by_shard_(shards->connections.size()) {}

  void AddItem(uint32_t index) {
    const LoadItem& item = request_->items[index];
    const GroupSpec& group = context_->layout().groups[item.group];
    const uint32_t begin = request_->first_segment;
    const uint32_t end = begin + SegmentsInRange(group, *request_);
    const uint32_t per_part = group.SegmentsPerPart();
    LoadPart load{
        .item = index, .segment_bytes = static_cast<uint32_t>(group.SegmentBytes()), .pieces = PiecesOf(item)};
    for (uint32_t part = begin / per_part; part * per_part < end; ++part) {
      const uint32_t part_begin = part * per_part;
      const uint32_t first = std::max(begin, part_begin) - part_begin;
      load.segment_count = static_cast<uint16_t>(std::min(end - part_begin, per_part) - first);
      // The node clips as we do, so blocks of one part share requests whatever their group.
      const bool one_part = group.PartCount() == 1;
      const bool to_the_end = first + load.segment_count == group.SegmentsOfPart(part);
      uint16_t wire_count = load.segment_count;
      if (one_part) {
        wire_count = request_->segment_count;
      } else if (to_the_end) {
        wire_count = wire::kAllSegments;
      }
      const wire::KeyRef key{
          .group = item.group, .part = static_cast<uint16_t>(part), .depth_tokens = item.depth_tokens, .key = item.key};
      Add(key, static_cast<uint16_t>(first), wire_count, load);
      load.offset += load.bytes();
    }
  }

  std::vector<std::vector<LoadBatch>> Take() { return std::move(by_shard_); }

 private:
  void Add(const wire::KeyRef& key, uint16_t first, uint16_t count, const LoadPart& part) {
    const size_t rank = ranks_.empty() ? 0 : ranks_[part.item];
    const uint32_t shard = ShardOfPart(context_, shards_, key.group, key.part, key.key, rank);
    LoadBatch& batch = BatchFor(shard, first, count, part.bytes());
    batch.keys.push_back(key);
    batch.parts.push_back(part);
    batch.bytes += part.bytes();
  }

  // The last batch of this range, or a new one if that is full.
  LoadBatch& BatchFor(uint32_t shard, uint16_t first, uint16_t count, uint64_t bytes) {
    std::vector<LoadBatch>& batches = by_shard_[shard];
    // There are at most three ranges (first, middle and last part), so the last batch of one is near the end.
    const size_t oldest = batches.size() > 3 ? batches.size() - 3 : 0;
    for (size_t i = batches.size(); i > oldest; --i) {
      LoadBatch& batch = batches[i - 1];
      if (batch.first_segment != first || batch.segment_count != count) continue;
      if (batch.bytes + bytes > kLoadBatchBytes || batch.keys.size() >= MaxBatchKeys(shards_, shard)) break;
      return batch;
    }
    LoadBatch& batch = batches.emplace_back();
    batch.first_segment = first;
    batch.segment_count = count;
    return batch;
  }

  const CallContext* context_;
  const ShardSet* shards_;
  const LoadRequest* request_;
  std::span<const uint8_t> ranks_;
  std::vector<std::vector<LoadBatch>> by_shard_;
};

}  // namespace

absl::Status CheckLoad(const Layout& layout, const LoadRequest& request) {
  if (request.segment_count == 0) return absl::InvalidArgumentError("load: segment_count is 0, at least 1 is needed");
  for (size_t i = 0; i < request.items.size(); ++i) {
    const LoadItem& item = request.items[i];
    RETURN_IF_ERROR(CheckKey(layout, item.group, item.key, "load: item", i));
    const GroupSpec& group = layout.groups[item.group];
    const uint64_t segments = SegmentsInRange(group, request);
    if (segments == 0) {
      return absl::InvalidArgumentError(fmt::format("load: item {}: first_segment is {}, blocks of group {} have {}", i,
                                                    request.first_segment, group.name, group.SegmentCount()));
    }
    const uint64_t expected = segments * group.SegmentBytes();
    const uint64_t found = BytesOf(PiecesOf(item));
    if (found != expected) {
      return absl::InvalidArgumentError(
          fmt::format("load: item {}: destination of {} bytes, {} segments of group {} are {} bytes", i, found,
                      segments, group.name, expected));
    }
  }
  return absl::OkStatus();
}

std::vector<std::vector<LoadBatch>> PlanLoad(const CallContext* context, const ShardSet* shards,
                                             const LoadRequest& request, std::span<const uint8_t> ranks) {
  Planner planner(context, shards, &request, ranks);
  for (size_t i = 0; i < request.items.size(); ++i) planner.AddItem(static_cast<uint32_t>(i));
  std::vector<std::vector<LoadBatch>> plan = planner.Take();
  for (std::vector<LoadBatch>& batches : plan) {
    for (LoadBatch& batch : batches) {
      batch.status.assign(batch.keys.size(), BlockStatus::kExpired);
      batch.tier.assign(batch.keys.size(), Presence::kMiss);
    }
  }
  return plan;
}

uint64_t SpanTokens(const Layout& layout, const LoadRequest& request) {
  uint64_t begin = UINT64_MAX, end = 0;
  for (const LoadItem& item : request.items) {
    begin = std::min<uint64_t>(begin, item.depth_tokens);
    end = std::max<uint64_t>(end, uint64_t{item.depth_tokens} + layout.groups[item.group].block_tokens);
  }
  return end > begin ? end - begin : 0;
}

}  // namespace incipit
