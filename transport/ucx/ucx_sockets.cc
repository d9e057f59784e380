#include "transport/ucx/ucx_sockets.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>

namespace incipit {
namespace {

constexpr int kIdleSeconds = 10, kProbeSeconds = 2, kProbes = 3;
constexpr unsigned kUnackedMs = kGoneHostSeconds * 1000;
static_assert(kIdleSeconds + kProbes * kProbeSeconds == kGoneHostSeconds);

bool IsTcpWithoutLimit(int fd) {
  int protocol = 0;
  unsigned unacked_ms = 0;
  socklen_t protocol_bytes = sizeof(protocol), unacked_bytes = sizeof(unacked_ms);
  return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_bytes) == 0 && protocol == IPPROTO_TCP &&
         getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, &unacked_bytes) == 0 && unacked_ms == 0;
}

// Fails only if another thread closes the descriptor meanwhile.
void LimitSilence(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleSeconds, sizeof(kIdleSeconds));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kProbeSeconds, sizeof(kProbeSeconds));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof(kProbes));
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnackedMs, sizeof(kUnackedMs));
}

}  // namespace

void LimitSilenceOfTcpSockets() {
  const std::unique_ptr<DIR, int (*)(DIR*)> descriptors(opendir("/proc/self/fd"), &closedir);
  if (descriptors == nullptr) return;  // no /proc: UCX's own keepalive has to do
  while (const dirent* entry = readdir(descriptors.get())) {
    char* end = nullptr;
    const auto fd = static_cast<int>(std::strtol(entry->d_name, &end, 10));
    if (end != entry->d_name && IsTcpWithoutLimit(fd)) LimitSilence(fd);
  }
}

}  // namespace incipit
