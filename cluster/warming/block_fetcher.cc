#include "cluster/warming/block_fetcher.h"

#include <algorithm>
#include <map>
#include <utility>

#include "cache/format/identity.h"
#include "cluster/warming/load_taker.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

}  // namespace

Task<FetchResult> BlockFetcher::Fetch(const FetchOrder* order) {
  FetchResult result;
  Task<absl::Status> greeting = order->peer->Greet(order->deadline_ns);
  const absl::Status greeted = co_await greeting;
  if (!greeted.ok()) {
    ++result.failures;
    co_return result;
  }
  std::map<uint16_t, std::vector<uint32_t>> by_shard;
  const std::vector<uint8_t>& framed = store_->namespaces().At(order->name_space).framed;
  for (uint32_t i = 0; i < order->keys.size(); ++i) {
    const wire::KeyRef& key = order->keys[i];
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
    by_shard[order->peer->ShardOf(FrameIdentity(framed, key.group, key.part, key.key, &buffer))].push_back(i);
  }
  TaskScope scope(env_->loop);
  for (auto& [shard, which] : by_shard) scope.Spawn(FetchFromShard(order, shard, std::move(which), &result));
  co_await scope.Join();
  co_return result;
}

Task<void> BlockFetcher::FetchFromShard(const FetchOrder* order, uint16_t shard, std::vector<uint32_t> which,
                                        FetchResult* result) {
  Task<absl::StatusOr<LentLink>> lending = order->peer->Lend(shard, order->deadline_ns);
  absl::StatusOr<LentLink> link = co_await lending;
  if (!link.ok()) {
    ++result->failures;
    co_return;
  }
  const NamespaceTable::Info* name_space = &store_->namespaces().At(order->name_space);
  Task<absl::StatusOr<uint32_t>> opening = (*link)->Open(name_space, order->deadline_ns);
  const absl::StatusOr<uint32_t> opened = co_await opening;
  if (!opened.ok()) {
    ++result->failures;
    co_return;
  }
  const int64_t left_ms = (order->deadline_ns - env_->loop->NowNs()) / kMillisecondNs;
  wire::Load load;
  load.namespace_id = *opened;
  load.deadline_ms = static_cast<uint32_t>(std::max<int64_t>(1, left_ms));
  for (const uint32_t i : which) load.keys.push_back(order->keys[i]);
  PeerRequest request{wire::FrameType::kLoad, wire::FrameType::kLoadReply, {}, {}};
  load.Encode(&request.meta);
  LoadTaker taker(env_->loop, store_, order, &load.keys, result);
  Task<absl::Status> asking = (*link)->Exchange(&request, &taker, order->deadline_ns);
  const absl::Status asked = co_await asking;
  if (!asked.ok()) ++result->failures;
}

}  // namespace incipit
