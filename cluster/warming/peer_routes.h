// Where another node is reached, by which lanes, and which of them to take now.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cache/seams/random.h"
#include "client/src/core/circuit_breaker.h"
#include "cluster/warming/peer_environment.h"

namespace incipit {

// The first route is taken while it works. One that refuses a connection, or fails a few times in a row, is left for
// the next one and tried again by a single connection now and then; one that does not answer has a short rest before.
// The last one is always there: what becomes of a node that fails on all is PeerNode's affair. Pure state, one thread.
class PeerRoutes {
 public:
  enum class Failure : uint8_t {
    kRefused,   // there is nobody on this lane
    kNoAnswer,  // no connection in time: perhaps because the node is busy
    kBroke,     // a connection that was there: perhaps the node's doing
  };

  // REQUIRES: at least one address, best lane first. `random` outlives it.
  PeerRoutes(std::vector<std::string> addresses, const PeerSettings& settings, Random* random);

  // The best route from `from` on that may be taken now. If it was left, this is the one try that it gets.
  size_t Next(int64_t now_ns, size_t from = 0);
  bool IsLast(size_t route) const { return route + 1 == routes_.size(); }
  const std::string& AddressOf(size_t route) const { return routes_[route].address; }
  // True: it had been left, and is taken again.
  bool OnConnected(size_t route);
  void OnReply(size_t route) { routes_[route].breaker.OnReply(); }
  // True: it is left from now on. Of the last route never.
  bool OnFailure(size_t route, Failure failure, int64_t now_ns);
  // All addresses, for messages.
  std::string ToString() const;

 private:
  struct Route {
    std::string address;
    CircuitBreaker breaker;
    int64_t next_try_ns = 0;
  };
  const int64_t rest_ns_;
  Random* random_;
  std::vector<Route> routes_;
};

}  // namespace incipit
