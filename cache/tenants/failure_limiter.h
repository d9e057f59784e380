// Slows down those who fail to authenticate: after some failures each further one costs a pause, twice as long each
// time. Counted for a peer with a tenant's name, and, more generously, for the peer alone, so that neither many names
// from one place nor one tenant's broken worker beside others does much harm.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace incipit {

inline constexpr size_t kMaxFailureEntries = 4096;
inline constexpr uint32_t kFreeFailures = 5;         // of one peer with one name, before pauses begin
inline constexpr uint32_t kFreeFailuresOfPeer = 64;  // of one peer, whatever the name
inline constexpr int64_t kFirstPauseNs = 100'000'000;
inline constexpr int64_t kLongestPauseNs = 30'000'000'000;
inline constexpr int64_t kForgetFailuresNs = 300'000'000'000;  // after the last one

// One thread. Time is the caller's, in nanoseconds. Costs two look-ups; a full table forgets the entry that has been
// quiet longest, at a scan.
class FailureLimiter {
 public:
  // How long this peer has to wait before it may try again with this name; 0 = it may.
  int64_t WaitNs(std::string_view peer, std::string_view tenant, int64_t now_ns) const;
  void OnFailure(std::string_view peer, std::string_view tenant, int64_t now_ns);
  // The peer proved this tenant's secret: its failures with that name are forgotten.
  void OnSuccess(std::string_view peer, std::string_view tenant);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    uint32_t failures = 0;
    int64_t last_ns = 0;
    int64_t until_ns = 0;
  };
  void Count(std::string key, uint32_t free_failures, int64_t now_ns);
  void MakeRoom(int64_t now_ns);

  absl::flat_hash_map<std::string, Entry> entries_;
};

// The host of a peer's name, "10.0.0.5:40123" or "[::1]:40123"; all of it if there is no port.
std::string_view HostOfPeer(std::string_view peer);

}  // namespace incipit
