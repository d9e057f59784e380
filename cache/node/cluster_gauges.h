// What a node's pages say of its cluster. Plain numbers, so that the pages need to know nothing of membership.
#pragma once

#include <cstdint>
#include <string>

#include "transport/wire/node_messages.h"

namespace incipit {

struct ClusterGauges {
  std::string source;  // for people: "redis://10.0.0.9:6379/0?cluster=main", or a file
  uint64_t epoch = 0;  // 0 = no map yet
  uint64_t nodes = 0, nodes_serving = 0;
  std::string state;  // of this node in the map: "serving" ...; "absent" if it is not in it
  // From Redis only; from a file these are as if all were well.
  bool connected = true;
  bool joined = true;   // registered with a lease
  bool fenced = false;  // another process is this node: it stops
  double renewed_s_ago = 0;
  uint64_t calls = 0;  // of Redis
  uint64_t errors_unreachable = 0, errors_refused = 0, errors_other = 0, bad_records = 0;
  std::string last_error;
  std::string drain = "none";  // state of the last drain
  wire::DrainProgress drain_progress;
};

}  // namespace incipit
