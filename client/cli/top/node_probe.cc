#include "client/cli/top/node_probe.h"

#include <algorithm>

#include "client/src/core/ask.h"
#include "transport/wire/activity_messages.h"

namespace incipit {

NodeProbe::~NodeProbe() { CloseAll(); }

void NodeProbe::CloseAll() {
  for (Link& link : links_) {
    if (link.channel != nullptr) link.channel->Close();
  }
  links_.clear();
  stale_ = false;
}

Task<void> NodeProbe::Look(int64_t deadline_ns, NodeSample* sample) {
  if (stale_) CloseAll();
  if (links_.empty()) {
    Task<absl::Status> connecting = Connect(wire::kAnyShard, deadline_ns);
    sample->status = co_await connecting;
    if (!sample->status.ok()) co_return;
  }
  sample->name = name_;
  absl::Status failed;
  TaskScope scope(loop_);
  for (size_t shard = 0; shard < links_.size(); ++shard) {
    scope.Spawn(LookAt(static_cast<uint16_t>(shard), deadline_ns, sample, &failed));
  }
  co_await scope.Join();
  if (sample->shards.empty()) sample->status = failed;
  std::sort(sample->shards.begin(), sample->shards.end(),
            [](const ShardStats& a, const ShardStats& b) { return a.shard < b.shard; });
}

Task<void> NodeProbe::LookAt(uint16_t shard, int64_t deadline_ns, NodeSample* sample, absl::Status* failed) {
  if (links_[shard].channel == nullptr) {
    Task<absl::Status> connecting = Connect(shard, deadline_ns);
    const absl::Status connected = co_await connecting;
    if (!connected.ok()) {
      *failed = connected;
      co_return;
    }
  }
  Task<absl::Status> asking = AskShard(shard, deadline_ns, sample);
  const absl::Status status = co_await asking;
  if (status.ok()) co_return;
  *failed = status;
  links_[shard].channel->Close();
  links_[shard].channel.reset();
}

// At the first contact `shard` is any, and the node says how many there are.
Task<absl::Status> NodeProbe::Connect(uint16_t shard, int64_t deadline_ns) {
  auto connecting = connector_->Connect(address_, deadline_ns);
  absl::StatusOr<std::unique_ptr<Stream>> stream = co_await connecting;
  if (!stream.ok()) co_return stream.status();
  Link link{.channel = std::make_unique<FrameChannel>(*std::move(stream))};
  auto greeting = SayHello(loop_, random_, link.channel.get(), as_, shard, wire::kFeatureActivity,
                           std::max<int64_t>(1, deadline_ns - loop_->NowNs()), &link.epoch);
  const absl::StatusOr<wire::HelloReply> hello = co_await greeting;
  if (!hello.ok()) {
    link.channel->Close();
    co_return hello.status();
  }
  link.tells_activity = (hello->features & wire::kFeatureActivity) != 0;
  name_ = hello->node_name;
  if (links_.empty()) links_.resize(hello->shard_count);
  if (links_.size() != hello->shard_count) {
    stale_ = true;
    link.channel->Close();
    co_return absl::UnavailableError("it has another number of shards than before; asked again soon");
  }
  links_[hello->shard] = std::move(link);
  co_return absl::OkStatus();
}

Task<absl::Status> NodeProbe::AskShard(uint16_t shard, int64_t deadline_ns, NodeSample* sample) {
  Link* link = &links_[shard];
  Question question{.type = wire::FrameType::kStats,
                    .request_id = link->next_id++,
                    .epoch = link->epoch,
                    .expected = {wire::FrameType::kStatsReply}};
  wire::StatsRequest{.activity = link->tells_activity}.Encode(&question.meta);
  auto asking = Ask(loop_, link->channel.get(), &question, std::max<int64_t>(1, deadline_ns - loop_->NowNs()));
  const absl::StatusOr<IncomingFrame> frame = co_await asking;
  if (!frame.ok()) co_return frame.status();
  if (!link->tells_activity) {
    absl::StatusOr<wire::StatsReply> reply = wire::StatsReply::Decode(frame->meta);
    if (!reply.ok()) co_return reply.status();
    sample->shards.push_back({.shard = shard, .values = std::move(reply->values)});
    co_return absl::OkStatus();
  }
  absl::StatusOr<wire::DetailedStats> reply = wire::DetailedStats::Decode(frame->meta);
  if (!reply.ok()) co_return reply.status();
  sample->shards.push_back({.shard = shard, .values = std::move(reply->values)});
  sample->activity.push_back(std::move(reply->activity));
  co_return absl::OkStatus();
}

}  // namespace incipit
