#include "cache/tenants/failure_limiter.h"

#include <algorithm>

namespace incipit {
namespace {

constexpr uint32_t kMaxDoublings = 20;

// A name can hold any byte but the peer's part has no NUL, so two different pairs never make one key.
std::string PairKey(std::string_view peer, std::string_view tenant) {
  std::string key(peer);
  key.push_back('\0');
  return key.append(tenant);
}

}  // namespace

int64_t FailureLimiter::WaitNs(std::string_view peer, std::string_view tenant, int64_t now_ns) const {
  int64_t until_ns = now_ns;
  for (const std::string& key : {std::string(peer), PairKey(peer, tenant)}) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) until_ns = std::max(until_ns, found->second.until_ns);
  }
  return until_ns - now_ns;
}

void FailureLimiter::OnFailure(std::string_view peer, std::string_view tenant, int64_t now_ns) {
  Count(std::string(peer), kFreeFailuresOfPeer, now_ns);
  Count(PairKey(peer, tenant), kFreeFailures, now_ns);
}

void FailureLimiter::OnSuccess(std::string_view peer, std::string_view tenant) {
  entries_.erase(PairKey(peer, tenant));
}

void FailureLimiter::Count(std::string key, uint32_t free_failures, int64_t now_ns) {
  if (entries_.size() >= kMaxFailureEntries && !entries_.contains(key)) MakeRoom(now_ns);
  Entry& entry = entries_[std::move(key)];
  if (now_ns - entry.last_ns > kForgetFailuresNs) entry = {};
  entry.last_ns = now_ns;
  if (++entry.failures <= free_failures) return;
  const uint32_t doublings = std::min(entry.failures - free_failures - 1, kMaxDoublings);
  entry.until_ns = now_ns + std::min(kFirstPauseNs << doublings, kLongestPauseNs);
}

void FailureLimiter::MakeRoom(int64_t now_ns) {
  absl::erase_if(entries_, [&](const auto& entry) { return now_ns - entry.second.last_ns > kForgetFailuresNs; });
  if (entries_.size() < kMaxFailureEntries) return;
  const auto oldest = std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    return a.second.last_ns < b.second.last_ns;
  });
  entries_.erase(oldest);
}

std::string_view HostOfPeer(std::string_view peer) {
  const size_t colon = peer.rfind(':');
  return colon == std::string_view::npos ? peer : peer.substr(0, colon);
}

}  // namespace incipit
