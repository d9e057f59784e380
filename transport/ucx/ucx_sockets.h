// Ends of hosts that vanish, where UCX's tcp transport does not notice them.
#pragma once

namespace incipit {

// Sets keepalive, and a limit on how long bytes may stay unacknowledged, on every TCP socket of this process that has
// no such limit; as on the tcp lane, a host that is gone is then noticed within kGoneHostSeconds.
//
// UCX 1.13 sets keepalive only on connections that it made itself, not on those that it accepted, and no limit where
// bytes are under way; the sockets are its own, and no setting of it reaches them. So this looks through the process's
// descriptors: for a node, never for a process that is somebody else's. Any thread; one system call or two for each
// descriptor.
inline constexpr int kGoneHostSeconds = 16;
void LimitSilenceOfTcpSockets();

}  // namespace incipit
