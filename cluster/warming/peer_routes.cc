#include "cluster/warming/peer_routes.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

}  // namespace

PeerRoutes::PeerRoutes(std::vector<std::string> addresses, const PeerSettings& settings, Random* random)
    : rest_ns_(settings.hold_back_ms * kMillisecondNs), random_(random) {
  const int64_t retry_ns = settings.lane_retry_ms * kMillisecondNs;
  const CircuitBreaker::Options options{.failures_to_open = settings.failures_to_hold_back,
                                        .cooldown_ns = retry_ns,
                                        .pause_min_ns = retry_ns,
                                        .pause_max_ns = retry_ns};
  for (std::string& address : addresses) routes_.push_back({std::move(address), CircuitBreaker(options)});
}

size_t PeerRoutes::Next(int64_t now_ns, size_t from) {
  for (size_t i = from; i + 1 < routes_.size(); ++i) {
    Route& route = routes_[i];
    if (now_ns < route.next_try_ns) continue;
    if (route.breaker.open()) route.next_try_ns = now_ns + route.breaker.PauseNs(random_);
    return i;
  }
  return routes_.size() - 1;
}

bool PeerRoutes::OnConnected(size_t route) {
  CircuitBreaker& breaker = routes_[route].breaker;
  const bool was_left = breaker.open();
  breaker.OnConnected();
  routes_[route].next_try_ns = 0;
  return was_left;
}

bool PeerRoutes::OnFailure(size_t route, Failure failure, int64_t now_ns) {
  if (IsLast(route)) return false;
  Route& failed = routes_[route];
  const bool left = failure == Failure::kRefused ? failed.breaker.OnSilence(INT64_MAX) : failed.breaker.OnFailure();
  if (failed.breaker.open()) {
    failed.next_try_ns = now_ns + failed.breaker.PauseNs(random_);
  } else if (failure == Failure::kNoAnswer) {
    failed.next_try_ns = now_ns + rest_ns_;
  }
  return left;
}

std::string PeerRoutes::ToString() const {
  std::string text;
  for (const Route& route : routes_) absl::StrAppend(&text, text.empty() ? "" : ",", route.address);
  return text;
}

}  // namespace incipit
