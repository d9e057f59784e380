#include "transport/tcp/free_ports.h"

#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/str_cat.h"

namespace incipit {
namespace {

constexpr int kTries = 64;

// Listening sockets, closed at the end.
class Sockets {
 public:
  ~Sockets() {
    for (const int fd : fds_) close(fd);
  }
  // The port taken, 0 if it could not be.
  uint16_t Take(const TcpAddress& address) {
    const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    fds_.push_back(fd);
    TcpAddress bound = address;
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.bytes) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&bound.storage), &bound.bytes) != 0) {
      return 0;
    }
    return PortOf(bound);
  }

 private:
  std::vector<int> fds_;
};

}  // namespace

uint16_t PortOf(const TcpAddress& address) {
  return address.storage.ss_family == AF_INET
             ? ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port)
             : ntohs(reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port);
}

TcpAddress WithPort(TcpAddress address, uint16_t port) {
  if (address.storage.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port = htons(port);
  }
  return address;
}

absl::StatusOr<uint16_t> FindFreePorts(const TcpAddress& address, uint16_t count) {
  for (int i = 0; i < kTries; ++i) {
    Sockets sockets;
    const uint16_t first = sockets.Take(WithPort(address, 0));
    bool free = first != 0 && first <= UINT16_MAX - count;
    for (uint16_t next = 1; free && next < count; ++next) {
      free = sockets.Take(WithPort(address, static_cast<uint16_t>(first + next))) != 0;
    }
    if (free) return first;
  }
  return absl::UnavailableError(absl::StrCat("no ", count, " successive free ports on ", address.ToString()));
}

}  // namespace incipit
