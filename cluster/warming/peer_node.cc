#include "cluster/warming/peer_node.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "spdlog/spdlog.h"
#include "transport/ucx/ucx_address.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

CircuitBreaker::Options BreakerOptions(const PeerSettings& settings) {
  return {.failures_to_open = settings.failures_to_hold_back,
          .cooldown_ns = settings.hold_back_ms * kMillisecondNs,
          .pause_min_ns = kMillisecondNs,
          .pause_max_ns = 8 * settings.hold_back_ms * kMillisecondNs};
}

// What the node itself answers to whoever asks it, by whichever lane.
bool IsRefusal(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status) || absl::IsFailedPrecondition(status);
}

}  // namespace

LentLink::~LentLink() {
  if (link_ != nullptr) node_->Return(shard_, std::move(link_));
}

PeerNode::PeerNode(const PeerEnvironment* env, std::vector<std::string> addresses)
    : env_(env), routes_(std::move(addresses), env->settings, env->random), breaker_(BreakerOptions(env->settings)) {}

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
    spdlog::warn("event=peer_held_back address={} cause=\"{}\"; it is asked again now and then", routes_.ToString(),
                 absl::CEscape(why.message()));
  }
  next_try_ns_ = env_->loop->NowNs() + breaker_.PauseNs(env_->random);
}

void PeerNode::OnRouteFailure(size_t route, PeerRoutes::Failure failure, const absl::Status& why) {
  if (routes_.IsLast(route)) return;
  if (env_->counters != nullptr) ++env_->counters->lane_failures;
  if (!routes_.OnFailure(route, failure, env_->loop->NowNs())) return;
  spdlog::warn("event=peer_lane_left address={} cause=\"{}\"; another lane is taken, this one tried again after {} ms",
               routes_.AddressOf(route), absl::CEscape(why.message()), env_->settings.lane_retry_ms);
}

Task<absl::Status> PeerNode::Greet(int64_t deadline_ns) {
  if (placement_ != nullptr) co_return absl::OkStatus();
  Task<absl::StatusOr<LentLink>> lending = Lend(0, deadline_ns);
  const absl::StatusOr<LentLink> link = co_await lending;
  co_return link.status();
}

PeerNode::ShardLinks* PeerNode::LinksTo(uint16_t shard) {
  std::unique_ptr<ShardLinks>& links = links_[shard];
  if (links == nullptr) links = std::make_unique<ShardLinks>(env_->loop);
  return links.get();
}

// One that goes by a worse route makes room for one that does not: else a lane that works again would not be taken
// while others are open.
std::unique_ptr<PeerLink> PeerNode::TakeIdle(ShardLinks* links, size_t route) {
  if (links->idle.empty()) return nullptr;
  const auto best = std::min_element(links->idle.begin(), links->idle.end(),
                                     [](const auto& one, const auto& other) { return one->route() < other->route(); });
  std::unique_ptr<PeerLink> link = std::move(*best);
  links->idle.erase(best);
  if (link->route() <= route) return link;
  link->Close();
  std::erase(live_, link.get());
  return nullptr;
}

Task<absl::StatusOr<std::unique_ptr<PeerLink>>> PeerNode::TryRoutes(uint16_t shard, size_t route, int64_t deadline_ns) {
  while (true) {
    // What is left of the time must be enough for the next one too.
    const bool last = routes_.IsLast(route);
    const int64_t now_ns = env_->loop->NowNs();
    const int64_t until_ns = last ? deadline_ns : now_ns + (deadline_ns - now_ns) / 2;
    auto connecting = PeerLink::Connect(env_, UcxAddressOfShard(routes_.AddressOf(route), shard), shard, until_ns);
    absl::StatusOr<std::unique_ptr<PeerLink>> link = co_await connecting;
    if (link.ok()) {
      (*link)->set_route(route);
      if (routes_.OnConnected(route)) spdlog::info("event=peer_lane_taken_again address={}", routes_.AddressOf(route));
    }
    if (link.ok() || last || closed_ || IsRefusal(link.status())) co_return link;
    const bool no_answer = absl::IsDeadlineExceeded(link.status());
    OnRouteFailure(route, no_answer ? PeerRoutes::Failure::kNoAnswer : PeerRoutes::Failure::kRefused, link.status());
    route = routes_.Next(env_->loop->NowNs(), route + 1);
  }
}

Task<absl::StatusOr<std::unique_ptr<PeerLink>>> PeerNode::Connect(uint16_t shard, size_t route, int64_t deadline_ns) {
  auto trying = TryRoutes(shard, route, deadline_ns);
  absl::StatusOr<std::unique_ptr<PeerLink>> link = co_await trying;
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
  ShardLinks* links = LinksTo(shard);
  while (true) {
    if (closed_) co_return absl::UnavailableError("this node stops asking others");
    if (links->lent < env_->settings.links_per_shard) break;
    links->freed.Clear();
    const bool freed = co_await links->freed.WaitUntil(deadline_ns);
    if (!freed) {
      co_return absl::DeadlineExceededError(absl::StrCat(routes_.ToString(), ": all connections to it are in use"));
    }
  }
  ++links->lent;  // before it is made: others count it
  const size_t route = routes_.Next(env_->loop->NowNs());
  if (std::unique_ptr<PeerLink> idle = TakeIdle(links, route)) co_return LentLink(self, shard, std::move(idle));
  auto connecting = Connect(shard, route, deadline_ns);
  absl::StatusOr<std::unique_ptr<PeerLink>> link = co_await connecting;
  if (!link.ok()) {
    --links->lent;
    links->freed.Set();
    co_return link.status();
  }
  co_return LentLink(self, shard, *std::move(link));
}

void PeerNode::Return(uint16_t shard, std::unique_ptr<PeerLink> link) {
  ShardLinks* links = LinksTo(shard);
  --links->lent;
  if (link->broken() || closed_) {
    if (!closed_) {
      const absl::Status why = absl::UnavailableError("no answer in time, or one that made no sense");
      OnFailure(why);
      OnRouteFailure(link->route(), PeerRoutes::Failure::kBroke, why);
    }
    link->Close();
    std::erase(live_, link.get());
  } else {
    breaker_.OnReply();
    routes_.OnReply(link->route());
    links->idle.push_back(std::move(link));
  }
  links->freed.Set();
}

void PeerNode::Close() {
  closed_ = true;
  for (PeerLink* link : live_) link->Close();
  CloseIdle();
  for (auto& [shard, links] : links_) links->freed.Set();
}

void PeerNode::CloseIdle() {
  for (auto& [shard, links] : links_) {
    for (const auto& link : links->idle) {
      link->Close();
      std::erase(live_, link.get());
    }
    links->idle.clear();
  }
}

}  // namespace incipit
