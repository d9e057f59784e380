#include "cluster/warming/peer_node.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "spdlog/spdlog.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

CircuitBreaker::Options BreakerOptions(const PeerSettings& settings) {
  return {.failures_to_open = settings.failures_to_hold_back,
          .cooldown_ns = settings.hold_back_ms * kMillisecondNs,
          .pause_min_ns = kMillisecondNs,
          .pause_max_ns = 8 * settings.hold_back_ms * kMillisecondNs};
}

}  // namespace

LentLink::~LentLink() {
  if (link_ != nullptr) node_->Return(shard_, std::move(link_));
}

PeerNode::PeerNode(const PeerEnvironment* env, std::string address)
    : env_(env), address_(std::move(address)), breaker_(BreakerOptions(env->settings)) {}

bool PeerNode::MayAsk() {
  if (closed_) return false;
  if (!breaker_.open()) return true;
  const int64_t now_ns = env_->loop->NowNs();
  if (now_ns < next_try_ns_) return false;
  next_try_ns_ = now_ns + breaker_.PauseNs(env_->random);
  return true;
}

void PeerNode::OnFailure(const absl::Status& why) {
  if (breaker_.OnFailure()) {
    spdlog::warn("event=peer_held_back address={} cause=\"{}\"; it is asked again now and then", address_,
                 absl::CEscape(why.message()));
  }
  next_try_ns_ = env_->loop->NowNs() + breaker_.PauseNs(env_->random);
}

Task<absl::Status> PeerNode::Greet(int64_t deadline_ns) {
  if (placement_ != nullptr) co_return absl::OkStatus();
  Task<absl::StatusOr<LentLink>> lending = Lend(0, deadline_ns);
  const absl::StatusOr<LentLink> link = co_await lending;
  co_return link.status();
}

PeerNode::Lane* PeerNode::LaneOf(uint16_t shard) {
  std::unique_ptr<Lane>& lane = lanes_[shard];
  if (lane == nullptr) lane = std::make_unique<Lane>(env_->loop);
  return lane.get();
}

Task<absl::StatusOr<std::unique_ptr<PeerLink>>> PeerNode::Connect(uint16_t shard, int64_t deadline_ns) {
  auto connecting = PeerLink::Connect(env_, address_, shard, deadline_ns);
  absl::StatusOr<std::unique_ptr<PeerLink>> link = co_await connecting;
  if (link.ok() && closed_) {
    (*link)->Close();
    co_return absl::UnavailableError("this node stops asking others");
  }
  if (!link.ok()) {
    if (!closed_) OnFailure(link.status());
    co_return link.status();
  }
  breaker_.OnConnected();
  live_.push_back(link->get());
  if (placement_ == nullptr) {
    const wire::HelloReply& hello = (*link)->hello();
    placement_ = std::make_unique<wire::Placement>(hello.placement_seed, hello.node_id, hello.shard_count);
  }
  co_return link;
}

Task<absl::StatusOr<LentLink>> PeerNode::Lend(uint16_t shard, int64_t deadline_ns) {
  const std::shared_ptr<PeerNode> self = shared_from_this();
  Lane* lane = LaneOf(shard);
  while (true) {
    if (closed_) co_return absl::UnavailableError("this node stops asking others");
    if (!lane->idle.empty()) {
      std::unique_ptr<PeerLink> link = std::move(lane->idle.back());
      lane->idle.pop_back();
      ++lane->lent;
      co_return LentLink(self, shard, std::move(link));
    }
    if (lane->lent < env_->settings.links_per_shard) break;
    lane->freed.Clear();
    const bool freed = co_await lane->freed.WaitUntil(deadline_ns);
    if (!freed) co_return absl::DeadlineExceededError(absl::StrCat(address_, ": all connections to it are in use"));
  }
  ++lane->lent;  // before it is made: others count it
  auto connecting = Connect(shard, deadline_ns);
  absl::StatusOr<std::unique_ptr<PeerLink>> link = co_await connecting;
  if (!link.ok()) {
    --lane->lent;
    lane->freed.Set();
    co_return link.status();
  }
  co_return LentLink(self, shard, *std::move(link));
}

void PeerNode::Return(uint16_t shard, std::unique_ptr<PeerLink> link) {
  Lane* lane = LaneOf(shard);
  --lane->lent;
  if (link->broken() || closed_) {
    if (!closed_) OnFailure(absl::UnavailableError("no answer in time, or one that made no sense"));
    link->Close();
    std::erase(live_, link.get());
  } else {
    breaker_.OnReply();
    lane->idle.push_back(std::move(link));
  }
  lane->freed.Set();
}

void PeerNode::Close() {
  closed_ = true;
  for (PeerLink* link : live_) link->Close();
  CloseIdle();
  for (auto& [shard, lane] : lanes_) lane->freed.Set();
}

void PeerNode::CloseIdle() {
  for (auto& [shard, lane] : lanes_) {
    for (const auto& link : lane->idle) {
      link->Close();
      std::erase(live_, link.get());
    }
    lane->idle.clear();
  }
}

}  // namespace incipit
