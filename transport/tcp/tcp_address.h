// Addresses of the tcp lane: "host:port", "[v6]:port" or "tcp://host:port".
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace incipit {

struct TcpAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
  bool IsLoopback() const;
  std::string ToString() const;  // numeric, "127.0.0.1:9400"
};

// InvalidArgument unless `address` has the form of one. Asks no resolver, so it never blocks.
absl::Status CheckTcpAddress(std::string_view address);

// Resolves names (blocking: getaddrinfo; numeric addresses do not block). InvalidArgument: malformed.
// Unavailable: the name does not resolve.
absl::StatusOr<TcpAddress> ResolveTcpAddress(std::string_view address);

}  // namespace incipit
