// The mem lane: listeners, connectors and streams inside one process, on one loop. With a SimLoop and a seed it is the
// network of tests and of the simulator, faults included.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "cache/runtime/loop.h"
#include "cache/runtime/sync.h"
#include "cache/seams/random.h"
#include "transport/stream.h"

namespace incipit {

// Probabilities are per mille of transfers (reads and writes).
struct MemNetworkFaults {
  uint32_t cut_per_mille = 0;      // the connection breaks, in both directions
  uint32_t flip_per_mille = 0;     // one bit of the transferred bytes is flipped
  uint32_t partial_per_mille = 0;  // the transfer moves fewer bytes than it could
  uint32_t delay_per_mille = 0;    // the transfer waits up to max_delay_ns first
  uint32_t refuse_per_mille = 0;   // a connection attempt is refused
  int64_t max_delay_ns = 0;
};

struct MemNetworkCounters {
  uint64_t connections = 0, cuts = 0, flips = 0, partials = 0, delays = 0, refusals = 0;
};

// One thread: the loop's. Must outlive everything made from it.
class MemNetwork {
 public:
  MemNetwork(Loop* loop, Random* random, size_t pipe_bytes = 256 * 1024)
      : loop_(loop), random_(random), pipe_bytes_(pipe_bytes), healed_(loop) {}
  MemNetwork(const MemNetwork&) = delete;
  MemNetwork& operator=(const MemNetwork&) = delete;

  void set_faults(const MemNetworkFaults& faults) { faults_ = faults; }
  const MemNetworkCounters& counters() const { return counters_; }

  // AlreadyExists if somebody listens there.
  absl::StatusOr<std::unique_ptr<Listener>> Listen(std::string address);
  // `from`: who connects, for Partition and Freeze; empty = nobody in particular.
  std::unique_ptr<Connector> MakeConnector(std::string from = "");
  // A connected pair, for tests of one channel.
  std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> MakePair();
  // Breaks every connection now and forgets listeners at `address`: what a kill -9 of that node looks like.
  void Kill(const std::string& address);
  // Nothing moves on connections to or from `address` (a stopped process) until called with false.
  void Freeze(const std::string& address, bool frozen);
  // Nothing moves between the two, and neither reaches the other anew, until called with false. Connections last.
  void Partition(const std::string& one, const std::string& other, bool apart);
  bool Apart(const std::string& one, const std::string& other) const;
  // Ends all that Freeze and Partition began.
  void HealAll();

 private:
  struct Pipe;
  struct Wire;
  class MemStream;
  class MemListener;
  class MemConnector;

  std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> MakePairFor(const std::string& from,
                                                                          const std::string& address);
  bool Stands(const std::string& from, const std::string& address) const;
  void Restand();
  bool Chance(uint32_t per_mille) { return per_mille > 0 && random_->Below(1000) < per_mille; }

  Loop* loop_;
  Random* random_;
  size_t pipe_bytes_;
  MemNetworkFaults faults_;
  MemNetworkCounters counters_;
  absl::flat_hash_map<std::string, MemListener*> listeners_;
  std::vector<std::weak_ptr<Wire>> wires_;
  absl::flat_hash_set<std::string> frozen_;
  absl::flat_hash_set<std::pair<std::string, std::string>> apart_;  // the lesser name first
  Event healed_;
};

}  // namespace incipit
