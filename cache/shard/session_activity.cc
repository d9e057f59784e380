// What Stats tells beside its values: which namespaces are asked for, which blocks are loaded most.
#include <algorithm>

#include "cache/shard/session.h"
#include "transport/wire/activity_messages.h"

namespace incipit {
namespace {

uint32_t BlockTokensOf(const NamespaceTable::Info& info, GroupIndex group) {
  if (!info.layout.has_value() || group >= info.layout->groups.size()) return 0;
  return info.layout->groups[group].block_tokens;
}

}  // namespace

wire::Activity Session::ActivityForTenant() const {
  const NamespaceTable& table = shard_->store()->namespaces();
  std::vector<NamespaceId> shown;
  for (NamespaceId id = 0; id < table.size(); ++id) {
    const NamespaceTable::Info& info = table.At(id);
    const bool in_use = info.usage.blocks > 0 || info.traffic.match_keys > 0;
    if (in_use && (MaySeeWholeNode() || info.identity.tenant == tenant())) shown.push_back(id);
  }
  std::stable_sort(shown.begin(), shown.end(), [&](NamespaceId a, NamespaceId b) {
    return table.At(a).traffic.match_keys > table.At(b).traffic.match_keys;
  });
  shown.resize(std::min<size_t>(shown.size(), wire::kMaxActiveNamespaces));
  wire::Activity activity;
  for (const NamespaceId id : shown) {
    const NamespaceTable::Info& info = table.At(id);
    const NamespaceTraffic& traffic = info.traffic;
    activity.namespaces.push_back(
        {info.identity.tenant, info.identity.model, info.layout.has_value() ? info.layout->name : "", info.usage.blocks,
         info.usage.stored_bytes, traffic.match_keys, traffic.match_hits, traffic.load_bytes});
  }
  for (const HeatTable::Hot& hot : shard_->heat()->Hottest(wire::kMaxHottestBlocks, shard_->loop()->NowNs())) {
    const Entry& entry = shard_->store()->At(hot.block);
    const auto listed = std::find(shown.begin(), shown.end(), entry.namespace_id);
    if (!entry.indexed || listed == shown.end()) continue;
    wire::HottestBlock block{.name_space = static_cast<uint32_t>(listed - shown.begin()),
                             .depth_tokens = entry.depth_tokens,
                             .block_tokens = BlockTokensOf(table.At(entry.namespace_id), entry.group),
                             .copies = hot.copies,
                             .stamp_ns = hot.stamp_ns,
                             .bytes_per_s = hot.bytes_per_s};
    std::copy_n(entry.key.begin(), std::min(entry.key.size(), wire::kKeyStartBytes), block.key_start.begin());
    activity.hottest.push_back(block);
  }
  return activity;
}

Task<void> Session::HandleStats(uint64_t request_id, ByteView meta) {
  const absl::StatusOr<wire::StatsRequest> request = wire::StatsRequest::Decode(meta);
  absl::Status status = request.status();
  if (status.ok() && request->activity && (hello_.features & wire::kFeatureActivity) == 0) {
    status = absl::InvalidArgumentError("Stats: to tell more needs the feature \"activity\" (bit 7) in Hello");
  }
  Task<void> replying;
  if (status.ok()) {
    std::vector<uint8_t> out;
    wire::StatsReply{MaySeeWholeNode() ? shard_->Report().Values() : shard_->store()->ValuesOf(tenant())}.Encode(&out);
    if (request->activity) ActivityForTenant().Encode(&out);
    replying = Reply(wire::FrameType::kStatsReply, request_id, std::move(out));
  } else {
    replying = ReplyError(request_id, status);
  }
  co_await replying;
}

}  // namespace incipit
