// A peer of UCX's tcp without UCX: speaks to a node by hand, over plain sockets, and can say anything.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/include/incipit/client.h"
#include "tests/support/blocks.h"
#include "tests/transport/ucx/guard/ucx_traffic.h"
#include "transport/ucx/guard/ucx_greeting_check.h"

namespace incipit::testing {

// One plain TCP connection on loopback. Closed at the end.
class RawSocket {
 public:
  RawSocket() = default;
  explicit RawSocket(int fd) : fd_(fd) {}
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~RawSocket() {
    if (fd_ >= 0) close(fd_);
  }
  static RawSocket Connect(uint16_t port) {
    RawSocket made(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const TcpAddress address = Ipv4("127.0.0.1", port);
    if (connect(made.fd_, reinterpret_cast<const sockaddr*>(&address.storage), address.bytes) != 0) return {};
    return made;
  }
  bool ok() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  bool Send(const Bytes& bytes) { return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == ssize_t(bytes.size()); }
  // The next `bytes`, or fewer if no more comes within `patience_ms` or the connection ends.
  Bytes Read(size_t bytes, int patience_ms) {
    Bytes got(bytes);
    size_t at = 0;
    pollfd waiting{fd_, POLLIN, 0};
    while (at < bytes && poll(&waiting, 1, patience_ms) == 1) {
      const ssize_t count = recv(fd_, got.data() + at, bytes - at, 0);
      if (count <= 0) break;
      at += static_cast<size_t>(count);
    }
    got.resize(at);
    return got;
  }
  // Whether the other end closes within `patience_ms`; what comes before that is added to `got`.
  bool Ends(int patience_ms, Bytes* got) {
    pollfd waiting{fd_, POLLIN, 0};
    uint8_t buffer[65536];
    while (poll(&waiting, 1, patience_ms) == 1) {
      const ssize_t count = recv(fd_, buffer, sizeof(buffer), 0);
      if (count <= 0) return true;
      got->insert(got->end(), buffer, buffer + count);
    }
    return false;
  }

 private:
  int fd_ = -1;
};

// Where things are in a greeting: the connection for data is made to that port, and names that endpoint.
struct GreetingPlaces {
  size_t interface_port = 0, endpoint_port = 0, endpoint = 0;
};
// REQUIRES: IsUcxGreetingBody(body), with one device, interface and endpoint, as over UCX's tcp.
inline GreetingPlaces PlacesOf(const Bytes& body) {
  size_t at = 13;
  const uint8_t device = body[at++];
  at += (device & 0x1f) + ((device & 0x40) != 0) + ((device & 0x20) != 0) + 2 + 16;
  const size_t interface_bytes = body[at++] & 0x3f;
  return {at, at + interface_bytes + 1, at + interface_bytes + 3};
}

// What a real client of ours says first, caught on a socket of our own.
inline Bytes RecordGreeting() {
  RawSocket listening(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  TcpAddress address = Ipv4("127.0.0.1", 0);
  if (bind(listening.fd(), reinterpret_cast<sockaddr*>(&address.storage), address.bytes) != 0) return {};
  if (listen(listening.fd(), 1) != 0) return {};
  getsockname(listening.fd(), reinterpret_cast<sockaddr*>(&address.storage), &address.bytes);
  std::thread client([&address] {
    ClientOptions options;
    options.address = "ucx://" + address.ToString();
    options.model = "model";
    options.layout = SmallLayout(1, 64);
    options.progress = Progress::kCaller;
    options.connect_timeout_ms = 1000;
    (void)Client::Connect(std::move(options)).ok();  // nobody answers
  });
  RawSocket accepted(accept(listening.fd(), nullptr, nullptr));
  const Bytes header = accepted.Read(ucx_wire::kGreetingHeaderBytes, 5000);
  uint64_t bytes = 0;
  if (header.size() == ucx_wire::kGreetingHeaderBytes) std::memcpy(&bytes, header.data(), sizeof(bytes));
  Bytes body = accepted.Read(std::min<uint64_t>(bytes, 4096), 5000);
  accepted = RawSocket();
  listening = RawSocket();
  client.join();
  return body;
}

class RawUcxPeer {
 public:
  // Greets the node's connection manager at `port` with `greeting` (RecordGreeting), and makes the connection for data.
  // False: the node would not have it.
  bool Connect(uint16_t port, Bytes greeting) {
    if (!Greet(port, std::move(greeting))) return false;
    data_ = RawSocket::Connect(data_port_);
    return data_.ok() && data_.Send(Hello());
  }
  // Up to where the node's interface and endpoint are known.
  bool Greet(uint16_t port, Bytes greeting) {
    const GreetingPlaces places = PlacesOf(greeting);
    // A low port is a low address, and of two interfaces the one with the lower address makes the connection.
    for (const size_t at : {places.interface_port, places.endpoint_port}) std::memcpy(&greeting[at], "\0\1", 2);
    manager_ = RawSocket::Connect(port);
    if (!manager_.ok() || !manager_.Send(UcxGreeting(greeting))) return false;
    const Bytes header = manager_.Read(ucx_wire::kGreetingHeaderBytes, 5000);
    if (header.size() != ucx_wire::kGreetingHeaderBytes) return false;
    uint64_t bytes = 0;
    std::memcpy(&bytes, header.data(), sizeof(bytes));
    const Bytes body = manager_.Read(std::min<uint64_t>(bytes, 4096), 5000);
    if (!IsUcxGreetingBody(body)) return false;
    std::memcpy(&endpoint_id_, body.data(), sizeof(endpoint_id_));
    const GreetingPlaces theirs = PlacesOf(body);
    std::memcpy(&data_port_, &body[theirs.endpoint_port], sizeof(data_port_));
    data_port_ = ntohs(data_port_);
    std::memcpy(&connect_to_, &body[theirs.endpoint], sizeof(connect_to_));
    return manager_.Send(UcxGreeting({}));
  }
  // The first bytes of the connection for data.
  Bytes Hello() const {
    return Packed().Add(ucx_wire::kMagic).Append(UcxConnectFrame(Ipv4("127.0.0.1", 1), connect_to_)).bytes;
  }
  // A message of our lane, with the node's own name of the endpoint.
  Bytes Message(const UcxMessage& message, const Bytes& data) const {
    const auto header = message.Encode();
    Packed body = UcxMessageStart();
    body.Append(data).Append({header.begin(), header.end()}).Add(endpoint_id_);
    return UcxFrameOf(ucx_wire::kMessageReply, body.bytes);
  }
  RawSocket& manager() { return manager_; }
  RawSocket& data() { return data_; }
  uint16_t data_port() const { return data_port_; }
  uint64_t endpoint_id() const { return endpoint_id_; }

 private:
  RawSocket manager_, data_;
  uint64_t endpoint_id_ = 0, connect_to_ = 0;
  uint16_t data_port_ = 0;
};

}  // namespace incipit::testing
