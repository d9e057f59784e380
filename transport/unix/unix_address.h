// Addresses of the unix lane: "unix:///path/of/socket" or "unix://@name". A name behind @ is abstract: it lives in the
// kernel, leaves no file, and every user of the host's network namespace can reach it.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace incipit {

inline constexpr std::string_view kUnixScheme = "unix://";

struct UnixAddress {
  sockaddr_un storage{};
  socklen_t bytes = 0;
  std::string path;  // as given, with @ in front of an abstract name
  bool abstract() const { return !path.empty() && path[0] == '@'; }
  std::string ToString() const { return std::string(kUnixScheme) + path; }
};

// The scheme may be left out. InvalidArgument: neither an absolute path nor @name, or longer than the kernel takes.
absl::StatusOr<UnixAddress> ParseUnixAddress(std::string_view address);

}  // namespace incipit
