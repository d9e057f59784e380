// A client of a simulated cluster: the placement and the client core of the real one, with all calls in one thread. It
// checks whatever it gets.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "client/src/cluster_route.h"
#include "client/src/core/client_core.h"
#include "tests/support/cluster_sim/cluster_world.h"

namespace incipit::testing {

struct SimClientOptions {
  std::string name;                   // where it sits, for partitions
  std::string tenant;                 // whose blocks it stores
  std::string owner;                  // whose it asks for, if not its own: it must get none
  uint64_t version = 0;               // its tenant's payloads differ from those of others by this
  std::function<std::string()> seed;  // address of some node, as a name of the service gives it
};

// Spawn Run() once; Stop() ends it soon, and then Disconnect().
class SimClient {
 public:
  using Chain = std::vector<std::vector<uint8_t>>;
  // Gives the map of the node at `address`, null if nobody is there.
  using MapOf = std::function<std::shared_ptr<const ClusterMap>(const std::string& address)>;

  SimClient(ClusterWorld* world, SimClientOptions options, MapOf map_of);

  // Works through chains of blocks until it is stopped.
  Task<void> Work();
  // Asks nodes for newer maps until it is stopped.
  Task<void> FollowMap();
  void Stop() { stopped_ = true; }
  Task<void> Disconnect();

  // Stores a chain that nobody else knows and loads it; some tries, since connections may have to be made anew. False
  // if blocks are missing in the end.
  Task<bool> MustWork();

  const std::shared_ptr<const ClusterMap>& map() const { return map_; }
  const std::string& name() const { return options_.name; }
  bool intruder() const { return !options_.owner.empty(); }

 private:
  struct Peer {
    std::string address;
    std::unique_ptr<Connector> connector;
    std::unique_ptr<ClientCore> core;
  };
  // Blocks of one chain that one node owns.
  struct Share {
    Peer* peer = nullptr;
    uint64_t node_id = 0;
    std::vector<size_t> blocks;
    // Of a match.
    Lease lease;
    uint32_t lease_ms = 0;
    uint64_t connections = 0;
  };
  // One call over all shares.
  struct Flight {
    std::shared_ptr<const ClusterRoute> route;
    const Chain* chain = nullptr;
    std::vector<Share> shares;
    std::vector<std::vector<uint8_t>> payloads;
    std::vector<BlockStatus> status;
    std::vector<char> present;
    std::vector<uint64_t> removals;  // of each block, when it was matched
    int64_t matched_ns = 0;
    uint32_t deadline_ms = 0;
    int64_t start_ns = 0;
  };

  void Offer(std::shared_ptr<const ClusterMap> map);
  Peer* PeerAt(const std::string& address);
  Flight Plan(const Chain* chain, size_t blocks, uint32_t deadline_ms);
  uint32_t LeftMs(const Flight& flight) const;
  Task<void> StoreShare(Flight* flight, Share* share);
  Task<void> MatchShare(Flight* flight, Share* share);
  Task<void> LoadShare(Flight* flight, Share* share, size_t blocks);
  Task<void> RemoveShare(Flight* flight, Share* share);
  using Step = Task<void> (SimClient::*)(Flight*, Share*);
  Task<void> All(Flight* flight, Step step);

  Task<uint64_t> StoreChain(const Chain* chain, size_t blocks, uint32_t deadline_ms);
  Task<uint64_t> LoadChain(const Chain* chain, size_t blocks, uint32_t deadline_ms, bool linger);
  void CheckHit(const Flight& flight, size_t block);
  void CheckLease(const Flight& flight, const Share& share, size_t block);
  void CheckInTime(const Flight& flight, const char* what);
  std::vector<uint8_t> Payload(const std::vector<uint8_t>& key) const;

  ClusterWorld* world_;
  SimClientOptions options_;
  MapOf map_of_;
  std::vector<uint8_t> framed_namespace_;
  std::shared_ptr<const ClusterMap> map_;
  std::shared_ptr<const ClusterRoute> route_;
  absl::flat_hash_map<std::string, std::unique_ptr<Peer>> peers_;
  bool stopped_ = false;
  bool refused_ = false;  // by the node that was last asked for its map
};

// Chain `number` of those that all clients work on.
SimClient::Chain SharedChain(uint64_t number, size_t blocks);

}  // namespace incipit::testing
