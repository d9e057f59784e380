#include "client/src/map_follower.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "client/src/core/ask.h"
#include "cluster/membership/cluster_map_json.h"
#include "transport/wire/map_messages.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;
constexpr uint64_t kMapId = 9;  // of the requests of one connection: one is outstanding at a time

}  // namespace

absl::Status MapFollower::CheckOptions(const MapFollowerOptions& options) {
  if (options.seeds.empty() || options.seeds.size() > kMaxSeeds) {
    return absl::InvalidArgumentError(
        absl::StrCat("seeds: ", options.seeds.size(), " addresses, allowed are 1 to ", kMaxSeeds));
  }
  if (options.step_timeout_ms == 0 || options.stay_ms == 0 || options.retry_min_ms == 0 ||
      options.retry_max_ms < options.retry_min_ms) {
    return absl::InvalidArgumentError("seeds: times are at least 1 ms, retry_max_ms is not below retry_min_ms");
  }
  if (options.watch_ms == 0 || options.watch_ms > wire::kMaxMapWaitMs) {
    return absl::InvalidArgumentError(
        absl::StrCat("seeds: watch_ms ", options.watch_ms, ", allowed are 1 to ", wire::kMaxMapWaitMs));
  }
  return absl::OkStatus();
}

MapFollower::MapFollower(Loop* loop, Connector* connector, Random* random, MapFollowerOptions options)
    : loop_(loop),
      connector_(connector),
      random_(random),
      options_(std::move(options)),
      retry_ms_(options_.retry_min_ms),
      stop_(loop),
      scope_(loop) {}

void MapFollower::Start() { scope_.Spawn(Run()); }

Task<void> MapFollower::Stop() {
  stopping_ = true;
  stop_.Set();
  if (channel_ != nullptr) channel_->Close();
  co_await scope_.Join();
}

// Between half and one and a half times as long.
int64_t MapFollower::SpreadNs(uint32_t ms) {
  return (ms / 2 + static_cast<int64_t>(random_->Below(uint64_t{ms} + 1))) * kMillisecondNs;
}

// Seeds and the live nodes of the map, in random order; the one that was asked last comes last. True if it is a new
// round after one in which nobody answered.
bool MapFollower::Refill() {
  const bool in_vain = !last_address_.empty() && !std::exchange(answered_, false);
  std::vector<std::string> all = options_.seeds;
  if (map_ != nullptr) {
    for (const ClusterNode& node : map_->nodes) {
      if (node.state == NodeState::kGone) continue;
      if (std::string address = node.AddressOn(options_.lane); !address.empty()) all.push_back(std::move(address));
    }
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random_->Below(i)]);
  std::stable_partition(all.begin(), all.end(), [&](const std::string& each) { return each == last_address_; });
  untried_ = std::move(all);  // taken from the back
  return in_vain;
}

Task<void> MapFollower::Run() {
  while (!stopping_) {
    if (untried_.empty() && Refill()) {
      co_await stop_.WaitUntil(loop_->NowNs() + SpreadNs(retry_ms_));
      retry_ms_ = std::min(retry_ms_ * 2, options_.retry_max_ms);
      continue;
    }
    last_address_ = std::move(untried_.back());
    untried_.pop_back();
    Task<absl::Status> following = Follow(last_address_);
    absl::Status status = co_await following;
    if (status.ok() || stopping_) {
      untried_.clear();  // all may be asked again
      continue;
    }
    ++counters_.failures;
    last_error_ = std::move(status);
    if (options_.on_failure) options_.on_failure(last_error_);
  }
}

// One node, for a while.
Task<absl::Status> MapFollower::Follow(std::string address) {
  const int64_t step_ns = int64_t{options_.step_timeout_ms} * kMillisecondNs;
  auto connecting = connector_->Connect(address, loop_->NowNs() + step_ns);
  absl::StatusOr<std::unique_ptr<Stream>> stream = co_await connecting;
  if (!stream.ok()) co_return stream.status();
  if (stopping_) co_return absl::OkStatus();
  FrameChannel channel(*std::move(stream));
  channel_ = &channel;
  HandshakeRequest request;
  request.client_id = random_->Next();
  request.tenant = options_.tenant;
  request.client_name = options_.client_name;
  request.key = options_.key;
  uint64_t shard_epoch = 0;
  auto greeting =
      SayHello(loop_, random_, &channel, &request, wire::kAnyShard, wire::kFeatureClusterMap, step_ns, &shard_epoch);
  const absl::StatusOr<wire::HelloReply> hello = co_await greeting;
  absl::Status status = hello.status();
  if (status.ok() && (hello->features & wire::kFeatureClusterMap) == 0) {
    status = absl::FailedPreconditionError(absl::StrCat(address, ": its release does not give the cluster's map"));
  }
  if (status.ok()) {
    Task<absl::Status> asking = AskUntil(&channel, shard_epoch, loop_->NowNs() + SpreadNs(options_.stay_ms));
    status = co_await asking;
  }
  channel_ = nullptr;
  channel.Close();
  co_return status;
}

Task<absl::Status> MapFollower::AskUntil(FrameChannel* channel, uint64_t shard_epoch, int64_t until_ns) {
  while (!stopping_ && loop_->NowNs() < until_ns) {
    // Without any map, nodes that have none either are not waited for: the next one may.
    int64_t wait_ms = 0;
    if (map_ != nullptr) {
      wait_ms = std::min({SpreadNs(options_.watch_ms), until_ns - loop_->NowNs()}) / kMillisecondNs;
      wait_ms = std::clamp<int64_t>(wait_ms, 1, wire::kMaxMapWaitMs);
    }
    Question question{.type = wire::FrameType::kGetMap,
                      .request_id = kMapId,
                      .epoch = shard_epoch,
                      .expected = {wire::FrameType::kMapReply}};
    wire::GetMap{.known_epoch = known_epoch(), .wait_ms = static_cast<uint32_t>(wait_ms)}.Encode(&question.meta);
    ++counters_.questions;
    auto asking = Ask(loop_, channel, &question, (wait_ms + options_.step_timeout_ms) * kMillisecondNs);
    const absl::StatusOr<IncomingFrame> frame = co_await asking;
    if (!frame.ok()) co_return frame.status();
    CO_RETURN_IF_ERROR(Take(channel->PeerName(), frame->meta));
  }
  co_return absl::OkStatus();
}

absl::Status MapFollower::Take(const std::string& address, ByteView meta) {
  ASSIGN_OR_RETURN(const wire::MapReply reply, wire::MapReply::Decode(meta));
  if (reply.map.empty()) {
    if (reply.epoch == 0) {
      return absl::FailedPreconditionError(
          absl::StrCat(address, ": it is in no cluster, or has no map yet; is it started with --membership?"));
    }
    answered_ = true;
    retry_ms_ = options_.retry_min_ms;
    // One that is behind is left for another.
    return reply.epoch >= known_epoch()
               ? absl::OkStatus()
               : absl::UnavailableError(
                     absl::StrCat(address, ": its map is at epoch ", reply.epoch, ", ours at ", known_epoch()));
  }
  ASSIGN_OR_RETURN(ClusterMap map, DecodeClusterMap(reply.map));
  if (map.epoch != reply.epoch) {
    return absl::DataLossError(absl::StrCat(address, ": its map says epoch ", map.epoch, ", its answer ", reply.epoch));
  }
  if (map_ != nullptr && map.placement_seed != map_->placement_seed) {
    return absl::FailedPreconditionError(absl::StrCat(
        address, ": it is in another cluster than the one followed so far; are all seeds of one cluster?"));
  }
  answered_ = true;
  retry_ms_ = options_.retry_min_ms;
  if (map.epoch <= known_epoch()) return absl::OkStatus();
  map_ = std::make_shared<const ClusterMap>(std::move(map));
  ++counters_.maps;
  if (options_.on_map) options_.on_map(map_);
  return absl::OkStatus();
}

}  // namespace incipit
