// Who is at the other end of a connection within one host, as the kernel says: nothing that the peer can claim.
#pragma once

#include <cstdint>

namespace incipit {

// Of the process that connected (or listened), at that moment. A plain value.
struct PeerCredentials {
  uint32_t uid = 0;
  uint32_t gid = 0;
  int32_t pid = 0;  // 0: in a pid namespace that this process cannot see
  friend bool operator==(const PeerCredentials&, const PeerCredentials&) = default;
};

}  // namespace incipit
