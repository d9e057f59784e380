// Ports that nobody listens on, where several in a row are wanted.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "transport/tcp/tcp_address.h"

namespace incipit {

// The first of `count` successive free ports at `address`, whose own port is ignored. Somebody else may take one before
// it is used: then listening fails, and says so. Unavailable: none found.
absl::StatusOr<uint16_t> FindFreePorts(const TcpAddress& address, uint16_t count);

// The same address with another port.
TcpAddress WithPort(TcpAddress address, uint16_t port);
uint16_t PortOf(const TcpAddress& address);

}  // namespace incipit
